// expect: error misaligned [A]
// Dynamic shared memory is carved into an odd number of ints and then doubles.
#include "../device_array.h"

__global__ void carve(double* out, int ints) {
  extern __shared__ int storage[];
  double* const sums = reinterpret_cast<double*>(storage + ints);
  storage[threadIdx.x % ints] = ints;
  sums[threadIdx.x] = 0.25 * threadIdx.x;  // [A]
  __syncthreads();
  out[threadIdx.x] = storage[0];
}

int main() {
  DeviceArray<double> out(32);
  carve<<<1, 32, 7 * sizeof(int) + 32 * sizeof(double)>>>(out, 7);
  return finish();
}
