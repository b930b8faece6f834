// cudaDeviceReset() ends the state of error: memory can be allocated and kernels run again, after
// each kind of fault.
#include "fault.h"

__global__ void write(int* out, int value) { out[threadIdx.x] = value + threadIdx.x; }
__global__ void trap() { __trap(); }
__global__ void stuck() {
  if (threadIdx.x < 5) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

void works_again(int value) {
  CHECK_CUDA(cudaDeviceReset());
  CHECK_CUDA(cudaGetLastError());
  int* d_out = upload(std::vector<int>(64, -1));
  write<<<1, 64>>>(d_out, value);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 64);
  for (int i = 0; i < 64; ++i) CHECK_EQ(out[i], value + i);
  CHECK_CUDA(cudaFree(d_out));
#ifdef CPU_DEVICE
  CHECK_EQ(std::string(cpuDeviceLastReport()), std::string());
#endif
}

int main() {
  works_again(0);
  for (int repeat = 0; repeat < 3; ++repeat) {
    trap<<<3, 40>>>();
    CHECK_FAULT(cudaErrorLaunchFailure, "(0,0,0)");
    works_again(100);
    write<<<1, 1>>>(nullptr, 1);
    CHECK_FAULT(cudaErrorIllegalAddress, "(0,0,0)");
    works_again(200);
    stuck<<<2, 64>>>();
    CHECK_FAULT(cudaErrorLaunchTimeout, "(0,0,0)");
    works_again(300);
  }
  return check_result();
}
