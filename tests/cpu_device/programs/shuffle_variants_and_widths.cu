// All four shuffles with widths 2 to 32 against the rules of the CUDA guide: sub-warps are
// separate, sources outside of the sub-warp give the lane's own value (xor, up, down) or wrap
// around (idx).
#include <cuda_runtime.h>

#include "check.h"

constexpr int kKinds = 4;

template <int WIDTH>
__global__ void shuffle(int* out, int argument) {
  const int lane = threadIdx.x;
  const int value = 100 + lane;
  out[0 * 32 + lane] = __shfl_sync(0xffffffff, value, argument, WIDTH);
  out[1 * 32 + lane] = __shfl_up_sync(0xffffffff, value, argument, WIDTH);
  out[2 * 32 + lane] = __shfl_down_sync(0xffffffff, value, argument, WIDTH);
  out[3 * 32 + lane] = __shfl_xor_sync(0xffffffff, value, argument, WIDTH);
}

// Each lane asks for a lane of its own choice.
__global__ void reverse_and_gather(const int* from, int* out) {
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(0xffffffff, lane * lane, 31 - lane);
  out[32 + lane] = __shfl_sync(0xffffffff, lane * lane, from[lane]);
}

int expected(int kind, int lane, int argument, int width) {
  const int first = lane / width * width, last = first + width - 1;
  int source = lane;
  if (kind == 0) source = first + (argument % width + width) % width;
  if (kind == 1) source = lane - argument < first ? lane : lane - argument;
  if (kind == 2) source = lane + argument > last ? lane : lane + argument;
  // xor may read from an earlier sub-warp, never from a later one
  if (kind == 3) source = (lane ^ argument) > last ? lane : lane ^ argument;
  return 100 + source;
}

template <int WIDTH>
void run(int* d_out) {
  for (int argument = 0; argument < 32; ++argument) {
    shuffle<WIDTH><<<1, 32>>>(d_out, argument);
    CHECK_LAUNCH();
    std::vector<int> out = download(d_out, kKinds * 32);
    for (int kind = 0; kind < kKinds; ++kind) {
      for (int lane = 0; lane < 32; ++lane) {
        CHECK_EQ(out[kind * 32 + lane], expected(kind, lane, argument, WIDTH));
      }
    }
  }
}

int main() {
  int* d_out = upload(std::vector<int>(kKinds * 32, -1));
  run<32>(d_out);
  run<16>(d_out);
  run<8>(d_out);
  run<4>(d_out);
  run<2>(d_out);
  std::vector<int> from(32);
  for (int lane = 0; lane < 32; ++lane) from[lane] = lane * 7 % 32;
  int* d_from = upload(from);
  reverse_and_gather<<<1, 32>>>(d_from, d_out);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, 64);
  for (int lane = 0; lane < 32; ++lane) {
    CHECK_EQ(out[lane], (31 - lane) * (31 - lane));
    CHECK_EQ(out[32 + lane], from[lane] * from[lane]);
  }
  CHECK_CUDA(cudaFree(d_from));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
