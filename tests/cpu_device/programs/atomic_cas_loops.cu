// Float maximum and double addition built from atomicCAS loops, the way they were written before
// the hardware had them; a CAS that does not return what it compared with loops forever or loses
// values.
#include <cuda_runtime.h>

#include "check.h"

__device__ float atomic_max_float(float* address, float value) {
  int* address_as_int = reinterpret_cast<int*>(address);
  int old = *address_as_int, assumed;
  do {
    assumed = old;
    old = atomicCAS(address_as_int, assumed, __float_as_int(fmaxf(value, __int_as_float(assumed))));
  } while (assumed != old);
  return __int_as_float(old);
}

__device__ double atomic_add_double(double* address, double value) {
  unsigned long long int* address_as_ull = (unsigned long long int*)address;
  unsigned long long int old = *address_as_ull, assumed;
  do {
    assumed = old;
    old = atomicCAS(
        address_as_ull, assumed, __double_as_longlong(value + __longlong_as_double(assumed)));
  } while (assumed != old);
  return __longlong_as_double(old);
}

__global__ void fold(const float* in, int n, float* maximum, double* sum) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomic_max_float(maximum, in[i]);
  atomic_add_double(sum, in[i]);
}

int main() {
  const int n = 3000;
  std::vector<float> in(n);
  float expected_max = -INFINITY;
  double expected_sum = 0.0;
  for (int i = 0; i < n; ++i) {
    in[i] = static_cast<float>((i * 7919) % 3001) - 3500.0f;  // all negative
    expected_max = in[i] > expected_max ? in[i] : expected_max;
    expected_sum += in[i];
  }
  float* d_in = upload(in);
  float* d_max = upload(std::vector<float>(1, -INFINITY));
  double* d_sum = upload(std::vector<double>(1, 0.0));
  fold<<<(n + 127) / 128, 128>>>(d_in, n, d_max, d_sum);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_max, 1)[0], expected_max);
  CHECK_EQ(download(d_sum, 1)[0], expected_sum);
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_max));
  CHECK_CUDA(cudaFree(d_sum));
  return check_result();
}
