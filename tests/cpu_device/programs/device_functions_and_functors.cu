// __device__, __host__ __device__ and __forceinline__ functions, functors and member functions
// called by kernels and by the host; both sides must compute the same.
#include <cuda_runtime.h>

#include "check.h"

__device__ int twice(int x) { return 2 * x; }
__device__ __forceinline__ int thrice(int x) { return 3 * x; }
__device__ __noinline__ int minus_one(int x) { return x - 1; }
__host__ __device__ inline int square(int x) { return x * x; }

struct Affine {
  int a, b;
  __host__ __device__ Affine(int a_, int b_) : a(a_), b(b_) {}
  __host__ __device__ int operator()(int x) const { return a * x + b; }
};

struct Clamp {
  int low, high;
  __host__ __device__ int operator()(int x) const { return x < low ? low : x > high ? high : x; }
};

struct Complex {
  float re, im;
};
__host__ __device__ Complex operator*(Complex a, Complex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

template <typename F, typename G>
__host__ __device__ int compose(F f, G g, int x) {
  return f(g(x));
}

template <typename F>
__global__ void transform(const int* in, int* out, int n, F f) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = f(in[i]);
}

__global__ void call_all(int* out, Complex* product) {
  int i = threadIdx.x;
  out[i] = twice(i) + thrice(i) + minus_one(i) + square(i) + compose(Affine(2, 1), Clamp{3, 9}, i);
  if (i == 0) *product = Complex{1, 2} * Complex{3, 4};
}

int main() {
  const int n = 40;
  std::vector<int> in(n);
  for (int i = 0; i < n; ++i) in[i] = i - 20;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(n, -1));
  Complex* d_product = upload(std::vector<Complex>(1));

  transform<<<2, 32>>>(d_in, d_out, n, Affine(5, -2));
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], 5 * in[i] - 2);
  transform<<<2, 32>>>(d_in, d_out, n, Clamp{-4, 6});
  CHECK_LAUNCH();
  out = download(d_out, n);
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], Clamp({-4, 6})(in[i]));

  call_all<<<1, n>>>(d_out, d_product);
  CHECK_LAUNCH();
  out = download(d_out, n);
  for (int i = 0; i < n; ++i) {
    CHECK_EQ(out[i], 6 * i - 1 + square(i) + compose(Affine(2, 1), Clamp{3, 9}, i));
  }
  Complex product = download(d_product, 1)[0];
  CHECK_EQ(product.re, -5.0f);
  CHECK_EQ(product.im, 10.0f);
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_product));
  return check_result();
}
