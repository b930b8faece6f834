// expect: error shared-race [A] [B]
// expect: error uninitialised-shared [A]
// Accesses that g++ and clang compile differently: both have to give the same values, counts and findings.
#include <cpu_device.h>

#include "../checks/device_vector.h"

constexpr int kThreads = 32;

struct Pair {
  float x, y;
};
struct Table {
  float values[256];
};

// 8 bytes whose alignment is 4: an unaligned access of clang's, two words of a GPU's.
__global__ void copy_pairs(const Pair* in, Pair* out) { out[threadIdx.x] = in[threadIdx.x]; }

// clang reads neighbouring bytes as vectors, if it may.
__global__ void sum_bytes(const unsigned char* in, int n, int* out) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += in[threadIdx.x * n + i];
  out[threadIdx.x] = sum;
}

// clang makes a call of memset of this loop, if it may.
__global__ void clear_rows(float* out, int n) {
  for (int i = 0; i < n; ++i) out[threadIdx.x * n + i] = 0.0f;
}

// A read that a write to the same place follows.
__global__ void increment(float* values) { values[threadIdx.x] += 1.0f; }

// clang's compare-and-swap returns what was there.
__global__ void claim(unsigned* owners, int* wins) {
  wins[threadIdx.x] = atomicCAS(&owners[threadIdx.x % 8], 0u, threadIdx.x + 1) == 0;
}

// clang passes the table with memcpy.
__global__ void look_up(Table table, float* out) { out[threadIdx.x] = table.values[threadIdx.x]; }

// The barrier between the two lines is missing.
__global__ void exchange(const float* in, float* out) {
  __shared__ float tile[2 * kThreads];
  tile[threadIdx.x] = in[threadIdx.x];                                 // [B]
  out[threadIdx.x] = tile[(threadIdx.x + kThreads) % (2 * kThreads)];  // [A]
}

// Of the last launch; a fast build counts nothing.
void check_counts(
    int line, unsigned long long loads, unsigned long long stores, unsigned long long atomics) {
#ifdef CPU_DEVICE_CHECKED
  size_t count = 0;
  const cpuDeviceLaunch* const launches = cpuDeviceLaunches(&count);
  const cpuDeviceCounters& seen = launches[count - 1].counters;
  check_equal(__FILE__, line, "loads", seen.global_load.requests, loads);
  check_equal(__FILE__, line, "stores", seen.global_store.requests, stores);
  check_equal(__FILE__, line, "atomics", seen.global_atomic.requests, atomics);
#else
  (void)line, (void)loads, (void)stores, (void)atomics;
#endif
}
#define CHECK_COUNTS(loads, stores, atomics) \
  CHECK_LAUNCH();                            \
  check_counts(__LINE__, loads, stores, atomics)

int main() {
  cpuDeviceSetCounting(1);
  constexpr int n = 16;

  DeviceVector<float> numbers(iota<float>(2 * kThreads + 1)), copies(2 * kThreads + 1);
  copy_pairs<<<1, kThreads>>>(
      reinterpret_cast<const Pair*>(numbers.get() + 1), reinterpret_cast<Pair*>(copies.get() + 1));
  CHECK_COUNTS(2, 2, 0);
  for (int i = 1; i <= 2 * kThreads; ++i) CHECK_EQ(copies.host()[i], static_cast<float>(i));

  DeviceVector<unsigned char> bytes(std::vector<unsigned char>(kThreads * n, 3));
  DeviceVector<int> sums(kThreads);
  sum_bytes<<<1, kThreads>>>(bytes, n, sums);
  CHECK_COUNTS(n, 1, 0);
  for (const int sum : sums.host()) CHECK_EQ(sum, 3 * n);

  DeviceVector<float> rows(kThreads * n);
  clear_rows<<<1, kThreads>>>(rows, n);
  CHECK_COUNTS(0, n, 0);
  for (const float value : rows.host()) CHECK_EQ(value, 0.0f);

  increment<<<1, kThreads>>>(rows);
  CHECK_COUNTS(1, 1, 0);
  CHECK_EQ(rows.host()[kThreads - 1], 1.0f);
  CHECK_EQ(rows.host()[kThreads], 0.0f);

  DeviceVector<unsigned> owners(std::vector<unsigned>(8, 0));
  claim<<<1, kThreads>>>(owners, sums);
  CHECK_COUNTS(0, 1, 1);
  int wins = 0;
  for (const int win : sums.host()) wins += win;
  CHECK_EQ(wins, 8);
  for (const unsigned owner : owners.host()) CHECK(owner >= 1 && owner <= kThreads);

  Table table;
  for (int i = 0; i < 256; ++i) table.values[i] = static_cast<float>(i);
  look_up<<<1, kThreads>>>(table, rows);
  CHECK_COUNTS(0, 1, 0);
  for (int i = 0; i < kThreads; ++i) CHECK_EQ(rows.host()[i], static_cast<float>(i));

  exchange<<<1, 2 * kThreads>>>(rows, rows.get() + 4 * kThreads);
  CHECK_COUNTS(2, 2, 0);
  return check_result();
}
