// expect-none: launch-error
// Launches fail on purpose; the program looks at each error before it goes on.
#include "../device_vector.h"

__global__ void fill(int* out) { out[threadIdx.x] = 7; }

int main() {
  DeviceVector<int> out(32);
  fill<<<1, 4096>>>(out);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidConfiguration);
  fill<<<0, 32>>>(out);
  CHECK_ERROR(cudaPeekAtLastError(), cudaErrorInvalidConfiguration);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidConfiguration);
  fill<<<1, 32>>>(out);
  CHECK_LAUNCH();
  for (int value : out.host()) CHECK_EQ(value, 7);
  return check_result();
}
