// Constant tables and strings in device functions lie in memory of the program, not in an
// allocation; reading them is right.
#include "../device_vector.h"

__device__ int days(int month) {
  const int table[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return table[month];
}

__device__ int digit_value(char c) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    if (digits[i] == c) return i;
  }
  return -1;
}

__device__ char letter(int i) {
  const char* const text = "fedcba9876543210";
  return text[i];
}

__global__ void look_up(int* out) {
  const int t = threadIdx.x;
  out[t] = days(t % 12) + digit_value(letter(t % 16));
}

int main() {
  const int table[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  DeviceVector<int> out(48);
  look_up<<<1, 48>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 48; ++t) CHECK_EQ(seen[t], table[t % 12] + 15 - t % 16);
  return check_result();
}
