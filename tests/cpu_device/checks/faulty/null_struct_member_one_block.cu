// expect: error null-pointer [A]
// A list of rows has no memory for one row: one block of a 2-D grid dereferences null.
#include "../device_array.h"

struct Rows {
  int* row[6];
};

__device__ int first_of(const Rows& rows, int r) {
  return rows.row[r][threadIdx.x];  // [A]
}

__global__ void first_values(Rows rows, int* out) {
  const int r = blockIdx.y * gridDim.x + blockIdx.x;
  out[r * blockDim.x + threadIdx.x] = first_of(rows, r);
}

int main() {
  DeviceArray<int> memory(16), out(6 * 16);
  Rows rows;
  for (int r = 0; r < 6; ++r) rows.row[r] = r == 4 ? nullptr : memory.get();
  first_values<<<dim3(3, 2), 16>>>(rows, out);
  return finish();
}
