// expect: error misaligned [A]
// A counter follows a 2-byte header in a buffer: an atomic at offset 2.
#include "../device_array.h"

struct View {
  unsigned char* bytes;
  __device__ int* counter() const { return reinterpret_cast<int*>(bytes + 2); }
};

__global__ void count(View view) {
  atomicAdd(view.counter(), 1);  // [A]
}

int main() {
  DeviceArray<unsigned char> bytes(16);
  count<<<2, 64>>>(View{bytes});
  return finish();
}
