// cudaLaunchHostFunc runs a host function in stream order, between a kernel before it and a kernel
// after it.
#include <cuda_runtime.h>

#include "check.h"

__global__ void add(int* data, int value) { data[threadIdx.x] += value; }

struct Step {
  const int* data;
  int seen;
  int calls;
};

void CUDART_CB look(void* user) {
  Step* step = static_cast<Step*>(user);
  step->seen = step->data[3];
  ++step->calls;
}

int main() {
  int* pinned = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, 32 * sizeof(int)));
  for (int i = 0; i < 32; ++i) pinned[i] = i;
  int* d_data = nullptr;
  CHECK_CUDA(cudaMalloc(&d_data, 32 * sizeof(int)));
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  Step first = {pinned, -1, 0}, second = {pinned, -1, 0};
  CHECK_CUDA(cudaMemcpyAsync(d_data, pinned, 128, cudaMemcpyHostToDevice, stream));
  add<<<1, 32, 0, stream>>>(d_data, 100);
  CHECK_CUDA(cudaMemcpyAsync(pinned, d_data, 128, cudaMemcpyDeviceToHost, stream));
  CHECK_CUDA(cudaLaunchHostFunc(stream, look, &first));
  add<<<1, 32, 0, stream>>>(d_data, 1000);
  CHECK_CUDA(cudaMemcpyAsync(pinned, d_data, 128, cudaMemcpyDeviceToHost, stream));
  CHECK_CUDA(cudaLaunchHostFunc(stream, look, &second));
  CHECK_CUDA(cudaStreamSynchronize(stream));
  CHECK_EQ(first.seen, 103);
  CHECK_EQ(second.seen, 1103);
  CHECK_EQ(first.calls + second.calls, 2);
  CHECK_CUDA(cudaStreamDestroy(stream));
  CHECK_CUDA(cudaFree(d_data));
  CHECK_CUDA(cudaFreeHost(pinned));
  return check_result();
}
