// Indices that start at 1 by way of a shifted pointer, and an end pointer as a loop bound.
#include "../device_vector.h"

__global__ void sum_from_one(const int* values, int n, int* out) {
  const int* const one_based = values - 1;
  int sum = 0;
  for (int i = 1; i <= n; ++i) sum += one_based[i];
  for (const int *p = values, *end = values + n; p != end; ++p) sum += *p;
  *out = sum;
}

int main() {
  DeviceVector<int> values(iota<int>(64, 1)), out(1);
  sum_from_one<<<1, 1>>>(values, 64, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 64 * 65);
  return check_result();
}
