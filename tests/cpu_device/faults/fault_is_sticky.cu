// After a fault every call that touches the device returns the same error, a second faulty launch
// does not replace it, and the first report stays.
#include "fault.h"

constexpr int kTrapLine = __LINE__ + 1;
__global__ void first() { __trap(); }
__global__ void second(int* out) { *out = 1; }

int main() {
  int* d_data = upload(std::vector<int>(4, 5));
  int host[4] = {};
  first<<<1, 1>>>();
  CHECK_FAULT(cudaErrorLaunchFailure, SITE(kTrapLine), "(0,0,0)");
  second<<<1, 1>>>(nullptr);
  CHECK_FAULT(cudaErrorLaunchFailure, SITE(kTrapLine));
  void* more = nullptr;
  CHECK_ERROR(cudaMalloc(&more, 64), cudaErrorLaunchFailure);
  CHECK_ERROR(cudaMemcpy(host, d_data, 16, cudaMemcpyDeviceToHost), cudaErrorLaunchFailure);
  CHECK_ERROR(cudaMemset(d_data, 0, 16), cudaErrorLaunchFailure);
  CHECK_ERROR(cudaStreamSynchronize(0), cudaErrorLaunchFailure);
  CHECK_ERROR(cudaFree(d_data), cudaErrorLaunchFailure);
  CHECK_EQ(std::string(cudaGetErrorName(cudaPeekAtLastError())), "cudaErrorLaunchFailure");
  return check_result();
}
