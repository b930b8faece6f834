// expect: error global-race [A] [A]
// Bits of a map are set by read-modify-write of bytes; eight threads of different warps share each
// byte.
#include "../device_array.h"

__global__ void set_bits(unsigned char* map) {
  const int i = (threadIdx.x % 32) * 8 + threadIdx.x / 32;
  map[i / 8] |= static_cast<unsigned char>(1 << i % 8);  // [A]
}

int main() {
  DeviceArray<unsigned char> map(32);
  set_bits<<<1, 256>>>(map);
  return finish();
}
