// Kernel templates with type, int, bool and default parameters, explicit, deduced and dependent,
// explicit specialisations and instances by function template; a wrong instance computes with the
// wrong constants.
#include <cuda_runtime.h>

#include "check.h"

template <int N, int M>
__global__ void constants(int* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = 1000 * N + M;
}

template <typename T>
__global__ void fill(T* out, T value) {
  out[threadIdx.x] = value;
}

template <typename T, int FACTOR = 3, bool NEGATE = false>
__global__ void scale(T* data) {
  T value = data[threadIdx.x] * T(FACTOR);
  data[threadIdx.x] = NEGATE ? -value : value;
}

// A specialisation for double.
template <>
__global__ void fill<double>(double* out, double value) {
  out[threadIdx.x] = value + 0.5;
}

template <typename T>
struct Traits {
  using Accumulator = T;
  enum { kSize = sizeof(T) };
};

template <typename T, typename Acc = typename Traits<T>::Accumulator>
__global__ void size_of(int* out) {
  out[0] = Traits<T>::kSize * 100 + sizeof(Acc);
}

template <template <typename> class Op, typename T>
__global__ void apply(T* data) {
  data[threadIdx.x] = Op<T>::run(data[threadIdx.x]);
}

template <typename T>
struct AddOne {
  __device__ static T run(T x) { return x + 1; }
};

template <int... SIZES>
__global__ void sum_of_sizes(int* out) {
  int sum = 0;
  ((sum += SIZES), ...);
  *out = sum;
}

template <typename T>
void run_scale(T* data) {
  scale<T><<<1, 4>>>(data);
  scale<T, 2, (sizeof(T) > 4)><<<1, 4>>>(data);
}

int main() {
  int* d_int = upload(std::vector<int>(4, -1));
  double* d_double = upload(std::vector<double>(4, -1));

  constants<64, 32><<<1, 4>>>(d_int);
  CHECK_LAUNCH();
  for (int x : download(d_int, 4)) CHECK_EQ(x, 64032);
  constants<(1 << 3), (5 > 4 ? 7 : 9)><<<2, 2>>>(d_int);
  CHECK_LAUNCH();
  for (int x : download(d_int, 4)) CHECK_EQ(x, 8007);

  fill<<<1, 4>>>(d_int, 3);  // T is deduced
  fill<<<1, 4>>>(d_double, 2.25);
  CHECK_LAUNCH();
  for (int x : download(d_int, 4)) CHECK_EQ(x, 3);
  for (double x : download(d_double, 4)) CHECK_EQ(x, 2.75);

  run_scale(d_int);
  run_scale<double>(d_double);
  CHECK_LAUNCH();
  for (int x : download(d_int, 4)) CHECK_EQ(x, 18);
  for (double x : download(d_double, 4)) CHECK_EQ(x, -16.5);

  apply<AddOne><<<1, 4>>>(d_int);
  CHECK_LAUNCH();
  for (int x : download(d_int, 4)) CHECK_EQ(x, 19);
  size_of<double><<<1, 1>>>(d_int);
  size_of<short, float><<<1, 1>>>(d_int + 1);
  sum_of_sizes<1, 20, 300><<<1, 1>>>(d_int + 2);
  sum_of_sizes<><<<1, 1>>>(d_int + 3);
  CHECK_LAUNCH();
  const int expected[4] = {808, 204, 321, 0};
  std::vector<int> out = download(d_int, 4);
  for (int i = 0; i < 4; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_CUDA(cudaFree(d_int));
  CHECK_CUDA(cudaFree(d_double));
  return check_result();
}
