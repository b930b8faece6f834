// Arrays of 1 byte, 3 shorts, 5 ints and 7 doubles are used up to their last byte.
#include "../device_vector.h"

__global__ void use_all(char* c, short* s, int* i, double* d) {
  const int t = threadIdx.x;
  if (t < 1) c[t] += 1;
  if (t < 3) s[t] += 1;
  if (t < 5) i[t] += 1;
  if (t < 7) d[t] += 1;
}

int main() {
  DeviceVector<char> c(iota<char>(1));
  DeviceVector<short> s(iota<short>(3));
  DeviceVector<int> i(iota<int>(5));
  DeviceVector<double> d(iota<double>(7));
  use_all<<<1, 8>>>(c, s, i, d);
  CHECK_LAUNCH();
  CHECK_EQ(static_cast<int>(c.host()[0]), 1);
  CHECK_EQ(static_cast<int>(s.host()[2]), 3);
  CHECK_EQ(i.host()[4], 5);
  CHECK_EQ(d.host()[6], 7.0);
  return check_result();
}
