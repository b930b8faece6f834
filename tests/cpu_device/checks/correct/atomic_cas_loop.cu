// A product by compare-and-swap starts each round from a value that an atomic returned.
#include "../device_vector.h"

__device__ void atomic_multiply(float* target, float factor) {
  int* const bits = reinterpret_cast<int*>(target);
  int seen = atomicAdd(bits, 0);
  for (;;) {
    const int before = atomicCAS(bits, seen, __float_as_int(__int_as_float(seen) * factor));
    if (before == seen) return;
    seen = before;
  }
}

__global__ void multiply(float* product) { atomic_multiply(product, 2.0f); }

int main() {
  DeviceVector<float> product(std::vector<float>(1, 1.0f));
  multiply<<<4, 16>>>(product);
  CHECK_LAUNCH();
  CHECK_EQ(product.host()[0], std::pow(2.0f, 64.0f));
  return check_result();
}
