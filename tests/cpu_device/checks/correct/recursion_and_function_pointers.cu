// Recursion with local arrays, and calls through a table of functions.
#include "../device_vector.h"

using Operation = int (*)(int, int);

__device__ int add(int a, int b) { return a + b; }
__device__ int multiply(int a, int b) { return a * b; }

__device__ int fold(const int* values, int n, Operation operation) {
  if (n == 1) return values[0];
  int halves[2];
  halves[0] = fold(values, n / 2, operation);
  halves[1] = fold(values + n / 2, n - n / 2, operation);
  return operation(halves[0], halves[1]);
}

__global__ void folds(int* out) {
  int values[5];
  for (int i = 0; i < 5; ++i) values[i] = i + 1 + threadIdx.x % 2;
  const Operation operations[2] = {add, multiply};
  out[threadIdx.x] = fold(values, 5, operations[threadIdx.x / 32]);
}

int main() {
  DeviceVector<int> out(64);
  folds<<<1, 64>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 64; ++t) {
    CHECK_EQ(seen[t], t < 32 ? (t % 2 ? 20 : 15) : (t % 2 ? 720 : 120));
  }
  return check_result();
}
