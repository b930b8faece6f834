// Blocks read their neighbours' elements and write to another array; the halo of the first and the
// last block is guarded.
#include "../device_vector.h"

__global__ void stencil(const int* in, int* out, int n) {
  __shared__ int tile[64 + 2];
  const int i = blockIdx.x * 64 + threadIdx.x, t = threadIdx.x + 1;
  tile[t] = i < n ? in[i] : 0;
  if (threadIdx.x == 0) tile[0] = i > 0 ? in[i - 1] : 0;
  if (threadIdx.x == 63) tile[65] = i + 1 < n ? in[i + 1] : 0;
  __syncthreads();
  if (i < n) out[i] = tile[t - 1] + tile[t] + tile[t + 1];
}

int main() {
  const int n = 150;
  DeviceVector<int> in(std::vector<int>(n, 1)), out(n);
  stencil<<<3, 64>>>(in, out, n);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < n; ++i) CHECK_EQ(seen[i], i == 0 || i == n - 1 ? 2 : 3);
  return check_result();
}
