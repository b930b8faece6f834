// expect: error use-after-free [A]
// A struct on the device keeps the pointer to an array that was freed between two launches; the
// first launch is right.
#include "../device_array.h"

struct Node {
  int* values;
  int count;
};

__device__ int last_value(const Node& node) {
  return node.values[node.count - 1];  // [A]
}

__global__ void last_values(const Node* nodes, int* out) {
  out[threadIdx.x] = last_value(nodes[threadIdx.x]);
}

int main() {
  DeviceArray<Node> nodes(2);
  DeviceArray<int> out(2), kept(8);
  int* dropped = nullptr;
  cudaMalloc(&dropped, 8 * sizeof(int));
  cudaMemset(dropped, 0, 8 * sizeof(int));
  const Node host[2] = {{kept, 8}, {dropped, 8}};
  cudaMemcpy(nodes, host, sizeof host, cudaMemcpyHostToDevice);
  last_values<<<1, 2>>>(nodes, out);
  cudaDeviceSynchronize();
  cudaFree(dropped);
  last_values<<<1, 2>>>(nodes, out);
  return finish();
}
