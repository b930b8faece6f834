// expect: error global-out-of-bounds [A]
// The second byte of the last short lies one byte behind an array of odd size.
#include "../device_array.h"

__global__ void sum_of_pairs(const unsigned short* in, int* out, int pairs) {
  for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
    out[i] = in[i];  // [A]
  }
}

int main() {
  DeviceArray<unsigned char> bytes(1001);
  DeviceArray<int> out(501);
  sum_of_pairs<<<1, 64>>>(reinterpret_cast<const unsigned short*>(bytes.get()), out, 501);
  return finish();
}
