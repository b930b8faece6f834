// expect-none: launch-error
// Launches fail on purpose; the program looks at each error before it goes on.
#include "../device_vector.h"

__global__ void fill(int* out) { out[threadIdx.x] = 7; }

// CUDA's documentation calls such a launch cudaErrorInvalidConfiguration; CUDA 13.0 on an H200 says cudaErrorInvalidValue.
bool is_refusal(cudaError_t error) {
  return error == cudaErrorInvalidConfiguration || error == cudaErrorInvalidValue;
}

int main() {
  DeviceVector<int> out(32);
  fill<<<1, 4096>>>(out);
  CHECK(is_refusal(cudaGetLastError()));
  fill<<<0, 32>>>(out);
  CHECK(is_refusal(cudaPeekAtLastError()));
  CHECK(is_refusal(cudaGetLastError()));
  fill<<<1, 32>>>(out);
  CHECK_LAUNCH();
  for (int value : out.host()) CHECK_EQ(value, 7);
  return check_result();
}
