// cudaMallocManaged, cudaMallocHost and cudaHostAlloc: one pointer used by host and kernel, and
// pinned buffers for asynchronous copies.
#include <cuda_runtime.h>

#include "check.h"

__global__ void square(int* data, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] *= data[i];
}

struct Node {
  int value;
  Node* next;
};

__global__ void sum_list(const Node* node, int* sum) {
  *sum = 0;
  for (; node != nullptr; node = node->next) *sum += node->value;
}

__managed__ int managed_total = 4;
__global__ void add_to_total(int x) { atomicAdd(&managed_total, x); }

int main() {
  const int n = 500;
  int* managed = nullptr;
  CHECK_CUDA(cudaMallocManaged(&managed, n * sizeof(int)));
  for (int i = 0; i < n; ++i) managed[i] = i;
  square<<<4, 128>>>(managed, n);
  CHECK_LAUNCH();
  for (int i = 0; i < n; ++i) CHECK_EQ(managed[i], i * i);

  Node* nodes = nullptr;
  CHECK_CUDA(cudaMallocManaged(&nodes, 3 * sizeof(Node)));
  nodes[0] = {5, &nodes[2]};
  nodes[2] = {70, &nodes[1]};
  nodes[1] = {900, nullptr};
  sum_list<<<1, 1>>>(nodes, managed);
  add_to_total<<<2, 3>>>(10);
  CHECK_LAUNCH();
  CHECK_EQ(managed[0], 975);
  CHECK_EQ(managed_total, 64);

  int *pinned = nullptr, *mapped = nullptr, *d_data = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, n * sizeof(int)));
  CHECK_CUDA(cudaHostAlloc(&mapped, n * sizeof(int), cudaHostAllocMapped));
  CHECK_CUDA(cudaMalloc(&d_data, n * sizeof(int)));
  for (int i = 0; i < n; ++i) {
    pinned[i] = i + 1;
    mapped[i] = -i;
  }
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  CHECK_CUDA(cudaMemcpyAsync(d_data, pinned, n * sizeof(int), cudaMemcpyHostToDevice, stream));
  square<<<4, 128, 0, stream>>>(d_data, n);
  CHECK_CUDA(cudaMemcpyAsync(pinned, d_data, n * sizeof(int), cudaMemcpyDeviceToHost, stream));
  int* device_view = nullptr;
  CHECK_CUDA(cudaHostGetDevicePointer(&device_view, mapped, 0));
  square<<<4, 128, 0, stream>>>(device_view, n);
  CHECK_CUDA(cudaStreamSynchronize(stream));
  for (int i = 0; i < n; ++i) {
    CHECK_EQ(pinned[i], (i + 1) * (i + 1));
    CHECK_EQ(mapped[i], i * i);
  }
  CHECK_CUDA(cudaStreamDestroy(stream));
  CHECK_CUDA(cudaFree(d_data));
  CHECK_CUDA(cudaFreeHost(mapped));
  CHECK_CUDA(cudaFreeHost(pinned));
  CHECK_CUDA(cudaFree(nodes));
  CHECK_CUDA(cudaFree(managed));
  return check_result();
}
