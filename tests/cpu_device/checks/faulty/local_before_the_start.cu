// expect: error local-out-of-bounds [A]
// A digit buffer is filled from its end; one digit too many has the index -1. One thread only has a
// number that is large enough.
#include "../device_array.h"

__global__ void last_digit_first(int* out, int limit) {
  int digits[3] = {0, 0, 0};
  int at = 2;
  int number = threadIdx.x == 45 ? limit : limit / 10;
  while (number >= 10) {
    digits[at--] = number % 10;
    number /= 10;
  }
  out[threadIdx.x] = digits[at] + number;  // [A]
}

int main() {
  DeviceArray<int> out(64);
  last_digit_first<<<1, 64>>>(out, 1234);
  return finish();
}
