// Lanes with data are packed by votes and population counts; warps draw their place with one
// atomic per warp.
#include "../device_vector.h"

__global__ void compact(const int* in, int n, int* out, int* count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
  const bool keep = i < n && in[i] % 3 == 0;
  const unsigned mask = __ballot_sync(0xffffffff, keep);
  int first = 0;
  if (lane == 0) first = atomicAdd(count, __popc(mask));
  first = __shfl_sync(0xffffffff, first, 0);
  if (keep) out[first + __popc(mask & ((1u << lane) - 1))] = in[i];
}

int main() {
  DeviceVector<int> in(iota<int>(200)), out(std::vector<int>(200, 0));
  DeviceVector<int> count(std::vector<int>(1, 0));
  compact<<<4, 64>>>(in, 200, out, count);
  CHECK_LAUNCH();
  CHECK_EQ(count.host()[0], 67);
  int sum = 0;
  for (int value : out.host()) sum += value;
  CHECK_EQ(sum, 3 * 66 * 67 / 2);
  return check_result();
}
