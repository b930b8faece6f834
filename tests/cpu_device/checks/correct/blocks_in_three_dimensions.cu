// A warp of a 3-D block is 32 consecutive linear indices: __syncwarp is enough for exchanges along
// x and y of an 8 x 4 plane.
#include "../device_vector.h"

__global__ void exchange(int* out) {
  __shared__ int cube[3][4][8];
  const int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  cube[z][y][x] = 32 * z + 8 * y + x;
  __syncwarp();
  const int mirrored = cube[z][3 - y][7 - x];
  __syncthreads();
  cube[z][y][x] = mirrored;
  __syncthreads();
  out[blockIdx.x * 96 + 32 * z + 8 * y + x] = cube[2 - z][y][x];
}

int main() {
  DeviceVector<int> out(2 * 96);
  exchange<<<2, dim3(8, 4, 3)>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 2 * 96; ++i) {
    const int t = i % 96;
    CHECK_EQ(seen[i], (2 - t / 32) * 32 + 31 - t % 32);
  }
  return check_result();
}
