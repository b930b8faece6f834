// Local arrays, kernel parameters and local structs are passed by pointer and reference to device
// functions that are not inlined: none of it is host memory.
#include "../device_vector.h"

struct Parameters {
  int coefficients[6];
  int count;
};

__device__ __noinline__ int evaluate(const Parameters& p, const int* powers, int* last) {
  int sum = 0;
  for (int i = 0; i < p.count; ++i) sum += p.coefficients[i] * powers[i];
  *last = powers[p.count - 1];
  return sum;
}

__global__ void polynomial(Parameters p, int* out) {
  const int x = threadIdx.x;
  int powers[6], last = 0;
  powers[0] = 1;
  for (int i = 1; i < p.count; ++i) powers[i] = powers[i - 1] * x;
  const int value = evaluate(p, powers, &last);
  out[x] = value + last;
}

int main() {
  const Parameters p{{5, 0, 2, 1, 0, 0}, 4};
  DeviceVector<int> out(64);
  polynomial<<<1, 64>>>(p, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int x = 0; x < 64; ++x) CHECK_EQ(seen[x], 5 + 2 * x * x + 2 * x * x * x);
  return check_result();
}
