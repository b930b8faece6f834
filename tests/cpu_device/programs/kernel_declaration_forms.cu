// The many ways of writing a kernel: order of qualifiers, unnamed and defaulted parameters, arrays
// and function types, kernels made by macros, extern "C" blocks, friends, kernels as template
// arguments.
#include <cuda_runtime.h>

#include "check.h"

// clang-format off
void __global__ type_first(int* out) { out[0] = 1; }
static __global__ void static_first(int* out) { out[0] = 2; }
__global__ static void static_second(int* out) { out[0] = 3; }
template <int N> static __global__ void after_template(int* out) { out[0] = N; }
__global__ void
on_its_own_line
(
    int* out   // a comment, with (parentheses)
)
{
  out[0] = 5;
}
__global__ void __launch_bounds__(32, 1) bounds_after(int* out) { out[0] = 6; }
__global__ __launch_bounds__(2 * (8 + 8)) void bounds_between(int* out) { out[0] = 7; }
// clang-format on

__global__ void unnamed(int* out, int, float /* nothing */) { out[0] = 8; }
__global__ void defaulted(int* out, int value = 9, float scale = 1.0f) { out[0] = value * scale; }
__global__ void array_parameter(int out[], const int in[3]) { out[0] = in[0] + in[1] + in[2]; }
__global__ void unused([[maybe_unused]] int unused_parameter, int* out) { out[0] = 11; }
__global__ void nothing() {}
__global__ void void_parameters(void) {}
__global__ void constant_parameters(int* const out, const int value, const float scale) {
  out[0] = static_cast<int>(value * scale);
}
__global__ void returns_early(int* out, int n) {
  out[0] = 13;
  if (n > 0) return;
  out[0] = -1;
}

extern "C" {
__global__ void c_block(int* out) { out[0] = 14; }
}

#define MAKE_KERNEL(name, expression) \
  __global__ void name(int* out, int x) { out[0] = expression; }
MAKE_KERNEL(made_square, x* x)
MAKE_KERNEL(made_twice, (x << 1))
#undef MAKE_KERNEL

template <typename T>
struct Holder {
  typedef T value_type;
};
template <typename H>
__global__ void dependent(int* out, typename H::value_type value, Holder<H>) {
  out[0] = static_cast<int>(value);
}

template <typename T, typename Op>
__global__ static void two_templates(T* out, Op op) {
  out[0] = op(3, 4);
}
struct Multiply {
  __device__ int operator()(int a, int b) const { return a * b; }
};

template <void (*KERNEL)(int*)>
void launch_argument(int* out) {
  KERNEL<<<1, 1>>>(out);
}
template <auto KERNEL, typename... Args>
void launch_any(Args... args) {
  KERNEL<<<1, 1>>>(args...);
}

class Secret {
  int value_ = 21;
  friend __global__ void reads_secret(int* out, Secret secret);
};
__global__ void reads_secret(int* out, Secret secret) { out[0] = secret.value_; }

__global__ void big_parameter(int* out, __grid_constant__ const Holder<int> empty, int4 last) {
  (void)empty;
  out[0] = last.w;
}

struct Kilobyte {
  int values[256];
};
__global__ void kilobytes(int* out, Kilobyte a, Kilobyte b, Kilobyte c) {
  out[0] = a.values[255] + b.values[0] + c.values[128];
}

int main() {
  const int n = 24;
  int* d = upload(std::vector<int>(n, -1));
  int* d_three = upload(std::vector<int>{2, 3, 5});
  type_first<<<1, 1>>>(d);
  static_first<<<1, 1>>>(d + 1);
  static_second<<<1, 1>>>(d + 2);
  after_template<4><<<1, 1>>>(d + 3);
  on_its_own_line<<<1, 1>>>(d + 4);
  bounds_after<<<1, 1>>>(d + 5);
  bounds_between<<<1, 1>>>(d + 6);
  unnamed<<<1, 1>>>(d + 7, 1, 2.0f);
  defaulted<<<1, 1>>>(d + 8);
  defaulted<<<1, 1>>>(d + 9, 5, 2.0f);
  unused<<<1, 1>>>(0, d + 10);
  constant_parameters<<<1, 1>>>(d + 11, 6, 2.0f);
  returns_early<<<1, 1>>>(d + 12, 1);
  c_block<<<1, 1>>>(d + 13);
  made_square<<<1, 1>>>(d + 14, 5);
  made_twice<<<1, 1>>>(d + 15, 5);
  dependent<Holder<float>><<<1, 1>>>(d + 16, 16.5f, {});
  two_templates<<<1, 1>>>(d + 17, Multiply());
  launch_argument<type_first>(d + 18);
  launch_any<made_square>(d + 19, 3);
  reads_secret<<<1, 1>>>(d + 20, Secret());
  big_parameter<<<1, 1>>>(d + 21, {}, make_int4(1, 2, 3, 22));
  Kilobyte k = {};
  k.values[255] = 3;
  k.values[0] = 20;
  kilobytes<<<1, 1>>>(d + 22, k, k, k);
  array_parameter<<<1, 1>>>(d + 23, d_three);
  nothing<<<1, 1>>>();
  void_parameters<<<1, 1>>>();
  CHECK_LAUNCH();
  const int expected[n] = {1,  2,  3,  4,  5,  6,  7, 8, 9,  10, 11, 12,
                           13, 14, 25, 10, 16, 12, 1, 9, 21, 22, 23, 10};
  std::vector<int> out = download(d, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_CUDA(cudaFree(d));
  CHECK_CUDA(cudaFree(d_three));
  return check_result();
}
