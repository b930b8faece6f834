// expect: error misaligned [A]
// A packed record has its 4-byte field at offset 1. x86 reads it without a fault, a GPU does not.
#include "../device_array.h"

__global__ void read_lengths(const unsigned char* records, int* lengths) {
  const unsigned char* record = records + 5 * threadIdx.x;
  const int length = *reinterpret_cast<const int*>(record + 1);  // [A]
  lengths[threadIdx.x] = length;
}

int main() {
  DeviceArray<unsigned char> records(5 * 32);
  DeviceArray<int> lengths(32);
  read_lengths<<<1, 32>>>(records, lengths);
  return finish();
}
