// Nodes are filled, fenced and pushed on a list with atomicExch; a later launch walks it.
#include "../device_vector.h"

struct Node {
  int value;
  int next;
};

__global__ void push(Node* nodes, int* head) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  nodes[i].value = i;
  __threadfence();
  nodes[i].next = atomicExch(head, i);
}

__global__ void sum(const Node* nodes, const int* head, int* out) {
  int total = 0;
  for (int i = *head; i >= 0; i = nodes[i].next) total += nodes[i].value;
  *out = total;
}

int main() {
  DeviceVector<Node> nodes(96);
  DeviceVector<int> head(std::vector<int>(1, -1)), out(1);
  push<<<3, 32>>>(nodes, head);
  sum<<<1, 1>>>(nodes, head, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 96 * 95 / 2);
  return check_result();
}
