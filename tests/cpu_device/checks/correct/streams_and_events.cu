// A kernel in one stream waits by an event for the data that another stream makes.
#include "../device_vector.h"

__global__ void produce(int* values) { values[threadIdx.x] = threadIdx.x; }
__global__ void consume(const int* values, int* out) {
  out[threadIdx.x] = values[63 - threadIdx.x];
}

int main() {
  cudaStream_t a, b;
  cudaEvent_t made;
  CHECK_CUDA(cudaStreamCreate(&a));
  CHECK_CUDA(cudaStreamCreate(&b));
  CHECK_CUDA(cudaEventCreate(&made));
  DeviceVector<int> values(64), out(64);
  produce<<<1, 64, 0, a>>>(values);
  CHECK_CUDA(cudaEventRecord(made, a));
  CHECK_CUDA(cudaStreamWaitEvent(b, made, 0));
  consume<<<1, 64, 0, b>>>(values, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 64; ++i) CHECK_EQ(seen[i], 63 - i);
  CHECK_CUDA(cudaEventDestroy(made));
  CHECK_CUDA(cudaStreamDestroy(a));
  CHECK_CUDA(cudaStreamDestroy(b));
  return check_result();
}
