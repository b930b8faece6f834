// Streams of every kind, events, waits between streams, queries and elapsed time; work must be
// done in the order that streams and events promise.
#include <cuda_runtime.h>

#include "check.h"

__global__ void multiply_add(long long* data, int n, int factor, int term) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = data[i] * factor + term;
}

int main() {
  const int n = 3000;
  int least = 99, greatest = 99;
  CHECK_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  CHECK(least >= greatest);  // a lower number is a higher priority
  cudaStream_t plain, non_blocking, urgent;
  CHECK_CUDA(cudaStreamCreate(&plain));
  CHECK_CUDA(cudaStreamCreateWithFlags(&non_blocking, cudaStreamNonBlocking));
  CHECK_CUDA(cudaStreamCreateWithPriority(&urgent, cudaStreamNonBlocking, greatest));
  cudaEvent_t start, stop, handover;
  CHECK_CUDA(cudaEventCreate(&start));
  CHECK_CUDA(cudaEventCreate(&stop));
  CHECK_CUDA(cudaEventCreateWithFlags(&handover, cudaEventDisableTiming));

  long long* d_data = upload(std::vector<long long>(n, 1));
  CHECK_CUDA(cudaEventRecord(start, plain));
  multiply_add<<<12, 256, 0, plain>>>(d_data, n, 2, 1);  // 3
  CHECK_CUDA(cudaEventRecord(handover, plain));
  CHECK_CUDA(cudaStreamWaitEvent(non_blocking, handover, 0));
  multiply_add<<<12, 256, 0, non_blocking>>>(d_data, n, 5, 2);  // 17
  CHECK_CUDA(cudaEventRecord(handover, non_blocking));
  CHECK_CUDA(cudaStreamWaitEvent(urgent, handover));
  multiply_add<<<12, 256, 0, urgent>>>(d_data, n, 3, 4);  // 55
  CHECK_CUDA(cudaEventRecord(stop, urgent));
  CHECK_CUDA(cudaEventSynchronize(stop));
  CHECK_CUDA(cudaEventQuery(stop));
  float milliseconds = -1.0f;
  CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start, stop));
  CHECK(milliseconds >= 0.0f);
  for (long long x : download(d_data, n)) CHECK_EQ(x, 55);

  multiply_add<<<12, 256, 0, plain>>>(d_data, n, 1, 1);
  const cudaError_t query = cudaStreamQuery(plain);
  CHECK(query == cudaSuccess || query == cudaErrorNotReady);
  CHECK_CUDA(cudaStreamSynchronize(plain));
  CHECK_CUDA(cudaStreamQuery(plain));
  (void)cudaGetLastError();

  // The legacy default stream waits for blocking streams, and they for it.
  multiply_add<<<12, 256, 0, plain>>>(d_data, n, 2, 0);
  multiply_add<<<12, 256>>>(d_data, n, 1, 8);
  multiply_add<<<12, 256, 0, plain>>>(d_data, n, 10, 0);
  CHECK_CUDA(cudaDeviceSynchronize());
  for (long long x : download(d_data, n)) CHECK_EQ(x, 1200);

  CHECK_ERROR(cudaEventElapsedTime(&milliseconds, start, handover), cudaErrorInvalidResourceHandle);
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidResourceHandle);
  unsigned int flags = 99;
  CHECK_CUDA(cudaStreamGetFlags(non_blocking, &flags));
  CHECK_EQ(flags, static_cast<unsigned>(cudaStreamNonBlocking));
  int priority = 99;
  CHECK_CUDA(cudaStreamGetPriority(urgent, &priority));
  CHECK_EQ(priority, greatest);
  CHECK_CUDA(cudaEventDestroy(start));
  CHECK_CUDA(cudaEventDestroy(stop));
  CHECK_CUDA(cudaEventDestroy(handover));
  CHECK_CUDA(cudaStreamDestroy(plain));
  CHECK_CUDA(cudaStreamDestroy(non_blocking));
  CHECK_CUDA(cudaStreamDestroy(urgent));
  CHECK_CUDA(cudaFree(d_data));
  return check_result();
}
