// Kernels launched through pointers: variables, arrays, struct members, parameters, typedefs,
// template instances and conditional expressions.
#include <cuda_runtime.h>

#include "check.h"

__global__ void add(int* out, int a, int b) { *out = a + b; }
__global__ void sub(int* out, int a, int b) { *out = a - b; }
template <int SCALE>
__global__ void mul(int* out, int a, int b) {
  *out = SCALE * a * b;
}

typedef void (*Operation)(int*, int, int);
using Table = Operation[3];

struct Entry {
  const char* name;
  Operation kernel;
  int expected;
};

Operation pick(int which) { return which == 0 ? add : sub; }

void launch(void (*kernel)(int*, int, int), int* out) { kernel<<<1, 1>>>(out, 20, 4); }

int main() {
  int* d_out = upload(std::vector<int>(10, -1));
  Operation operation = add;
  operation<<<1, 1>>>(d_out, 20, 4);
  operation = &sub;
  operation<<<1, 1>>>(d_out + 1, 20, 4);
  void (*product)(int*, int, int) = mul<3>;
  product<<<1, 1>>>(d_out + 2, 20, 4);
  Table kernels = {add, sub, mul<1>};
  for (int i = 0; i < 3; ++i) kernels[i]<<<1, 1>>>(d_out + 3 + i, 20, 4);
  launch(mul<2>, d_out + 6);
  pick(0)<<<1, 1>>>(d_out + 7, 20, 4);
  (*operation)<<<1, 1>>>(d_out + 8, 20, 4);
  auto automatic = mul<5>;
  (d_out != nullptr ? automatic : sub)<<<1, 1>>>(d_out + 9, 20, 4);
  CHECK_LAUNCH();
  const int expected[10] = {24, 16, 240, 24, 16, 80, 160, 24, 16, 400};
  std::vector<int> out = download(d_out, 10);
  for (int i = 0; i < 10; ++i) CHECK_EQ(out[i], expected[i]);

  const Entry entries[] = {{"add", add, 24}, {"sub", sub, 16}, {"mul", mul<1>, 80}};
  for (const Entry& entry : entries) {
    entry.kernel<<<1, 1>>>(d_out, 20, 4);
    const Entry* pointer = &entry;
    pointer->kernel<<<1, 1>>>(d_out + 1, 20, 4);
    CHECK_LAUNCH();
    CHECK_EQ(download(d_out, 1)[0], entry.expected);
    CHECK_EQ(download(d_out + 1, 1)[0], entry.expected);
  }
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
