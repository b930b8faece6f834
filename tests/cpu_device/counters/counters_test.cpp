// What the checked mode counts, against numbers that follow from its definition and the kernels' source, not from a
// run; and the C interface by which programs read them. Built once for each compiler of the kernels.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "counted_kernels.h"
#include "cpu_device.h"
#include "micro_kernels.h"

namespace {

// ---- Expectations ----

// Accesses to global memory, all of one width: bytes of one thread's access.
struct Global {
  unsigned long long requests = 0, accesses = 0, width = 0, sectors = 0;
};
// To shared memory; ideal: the wavefronts without conflicts.
struct Shared {
  unsigned long long requests = 0, accesses = 0, width = 0, wavefronts = 0, ideal = 0;
};

struct Expected {
  const char* kernel = "";
  Global load = {}, store = {}, atomic = {};
  Shared shared_load = {}, shared_store = {}, shared_atomic = {};
  unsigned long long barriers = 0, warp_syncs = 0, shuffles = 0, votes = 0, exp_calls = 0;
  size_t static_shared = 0, dynamic_shared = 0;
};

[[maybe_unused]] void PrintTo(const Expected& e, std::ostream* out) { *out << e.kernel; }

cpuDeviceAccesses accesses(const Global& g) {
  const unsigned long long bytes = g.accesses * g.width;
  return {g.requests, g.accesses, bytes, g.width == 16 ? bytes : 0, g.sectors, 0, 0};
}

cpuDeviceAccesses accesses(const Shared& s) {
  const unsigned long long bytes = s.accesses * s.width;
  return {s.requests, s.accesses, bytes, s.width == 16 ? bytes : 0, 0, s.wavefronts, s.ideal};
}

cpuDeviceCounters counters(const Expected& e) {
  return {
      accesses(e.load),
      accesses(e.store),
      accesses(e.atomic),
      accesses(e.shared_load),
      accesses(e.shared_store),
      accesses(e.shared_atomic),
      e.barriers,
      e.warp_syncs,
      e.shuffles,
      e.votes,
      e.exp_calls};
}

void write(std::ostream& out, const char* name, const cpuDeviceAccesses& a) {
  if (a.requests == 0 && a.accesses == 0 && a.bytes == 0 && a.sectors == 0 && a.wavefronts == 0) {
    return;
  }
  out << name << ": " << a.requests << " requests, " << a.accesses << " accesses, " << a.bytes
      << " bytes, " << a.bytes_16 << " in accesses of 16, " << a.sectors << " sectors, "
      << a.wavefronts << " wavefronts, ideally " << a.ideal_wavefronts << '\n';
}

// All that is not 0, a line each: what the tests compare.
std::string text(const cpuDeviceCounters& c) {
  std::ostringstream out;
  write(out, "global load", c.global_load);
  write(out, "global store", c.global_store);
  write(out, "global atomic", c.global_atomic);
  write(out, "shared load", c.shared_load);
  write(out, "shared store", c.shared_store);
  write(out, "shared atomic", c.shared_atomic);
  if (c.barriers != 0) out << c.barriers << " barriers\n";
  if (c.warp_syncs != 0) out << c.warp_syncs << " warp synchronisations\n";
  if (c.shuffles != 0) out << c.shuffles << " shuffles\n";
  if (c.votes != 0) out << c.votes << " votes\n";
  if (c.exp_calls != 0) out << c.exp_calls << " calls of exp\n";
  return out.str();
}

std::string counted(const Expected& e) { return text(counters(e)); }

// In comments: sector n is the 32 bytes from 32 n, bank n holds the words whose number is n modulo 32.
const Expected kExpected[] = {
    // 32 floats are 128 bytes, 4 sectors.
    {.kernel = "global_coalesced", .load = {1, 32, 4, 4}, .store = {1, 32, 4, 4}},
    // Bytes 4 to 131: sectors 0 to 4.
    {.kernel = "global_offset_1", .load = {1, 32, 4, 5}, .store = {1, 32, 4, 5}},
    // A float every 32 bytes.
    {.kernel = "global_stride_8", .load = {1, 32, 4, 32}, .store = {1, 32, 4, 32}},
    // Two words, 256 bytes apart.
    {.kernel = "global_half_warp_broadcast", .load = {1, 32, 4, 2}, .store = {1, 32, 4, 4}},
    // Lanes 0, 3, ..., 30: 11 of them, and some in each group of 8.
    {.kernel = "global_every_third_lane", .load = {1, 11, 4, 4}, .store = {1, 11, 4, 4}},
    // 20 lanes, 80 bytes.
    {.kernel = "global_returned_lanes", .load = {1, 20, 4, 3}, .store = {1, 20, 4, 3}},
    // A warp of 32 and one of 16: 4 + 2.
    {.kernel = "global_48_threads", .load = {2, 48, 4, 6}, .store = {2, 48, 4, 6}},
    // 16 x 4 threads, rows 256 bytes apart: a warp has 2 rows of 64 bytes.
    {.kernel = "global_block_2d", .load = {2, 64, 4, 8}, .store = {2, 64, 4, 8}},
    // 12 x 5 threads, rows 128 bytes apart. Warp 0: rows of 12, 12 and 8 floats, 2 + 2 + 1 sectors. Warp 1: the 4 other
    // floats of row 2, and two rows of 12, 1 + 2 + 2.
    {.kernel = "global_block_2d_ragged", .load = {2, 60, 4, 10}, .store = {2, 60, 4, 10}},
    // Trip k: lanes with t % 4 >= k, 32, 24, 16 and 8 of them, always in all 4 sectors of a row.
    {.kernel = "global_uneven_trips", .load = {4, 80, 4, 16}, .store = {1, 32, 4, 4}},
    // 8 trips, each with a float every 32 bytes.
    {.kernel = "global_rows", .load = {8, 256, 4, 256}, .store = {1, 32, 4, 4}},
    // 256 bytes.
    {.kernel = "global_float2", .load = {1, 32, 8, 8}, .store = {1, 32, 8, 8}},
    // Three loads of 4 bytes, 12 bytes apart: each touches all 12 sectors of the 384 bytes.
    {.kernel = "global_float3_by_member", .load = {3, 96, 4, 36}, .store = {1, 32, 4, 4}},
    // Bytes 16 to 527: sectors 0 to 16.
    {.kernel = "global_float4_offset_1", .load = {1, 32, 16, 17}, .store = {1, 32, 16, 17}},
    {.kernel = "global_char", .load = {1, 32, 1, 1}, .store = {1, 32, 1, 1}},
    {.kernel = "global_int4_in_struct", .load = {1, 32, 16, 16}, .store = {1, 32, 16, 16}},
    // One address: the operations go one after the other.
    {.kernel = "global_atomic_uniform", .load = {1, 32, 4, 4}, .atomic = {1, 32, 4, 32}},
    {.kernel = "global_atomic_returned",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .atomic = {1, 32, 4, 4}},

    // Lanes t and t + 16 meet in a bank.
    {.kernel = "shared_stride_2",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 2, 1},
     .shared_store = {1, 32, 4, 2, 1},
     .barriers = 1,
     .static_shared = 2 * 32 * 4},
    // All in bank 0.
    {.kernel = "shared_stride_32",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 32, 1},
     .shared_store = {1, 32, 4, 32, 1},
     .barriers = 1,
     .static_shared = 32 * 32 * 4},
    // Lane t in bank t.
    {.kernel = "shared_stride_33",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 1, 1},
     .shared_store = {1, 32, 4, 1, 1},
     .barriers = 1,
     .static_shared = 33 * 32 * 4},
    // A stride of 2 in memory that the launch asks for.
    {.kernel = "shared_dynamic",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 2, 1},
     .shared_store = {1, 32, 4, 2, 1},
     .barriers = 1,
     .dynamic_shared = 64 * 4},
    // 256 floats are filled in, 32 at a time. Trip k: lanes with t % 4 >= k, with t also t + 16, which meet in a bank.
    {.kernel = "shared_uneven_trips",
     .load = {8, 256, 4, 32},
     .store = {1, 32, 4, 4},
     .shared_load = {4, 80, 4, 8, 4},
     .shared_store = {8, 256, 4, 8, 8},
     .barriers = 1,
     .static_shared = 4 * 64 * 4},
    // Lane t's byte is in word t.
    {.kernel = "shared_char_stride_4",
     .load = {1, 32, 1, 1},
     .store = {1, 32, 1, 1},
     .shared_load = {1, 32, 1, 1, 1},
     .shared_store = {1, 32, 1, 1, 1},
     .barriers = 1,
     .static_shared = 4 * 32},
    // Words 5 and 37. 64 floats are filled in.
    {.kernel = "shared_two_words_of_one_bank",
     .load = {2, 64, 4, 8},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 2, 1},
     .shared_store = {2, 64, 4, 2, 2},
     .barriers = 1,
     .static_shared = 64 * 4},
    // Two phases of 16 lanes; of those, t and t + 8 meet in two banks.
    {.kernel = "shared_8_stride_2",
     .load = {1, 32, 8, 8},
     .store = {1, 32, 8, 8},
     .shared_load = {1, 32, 8, 4, 2},
     .shared_store = {1, 32, 8, 4, 2},
     .barriers = 1,
     .static_shared = 2 * 32 * 8},
    // The two phases become one.
    {.kernel = "shared_8_uniform",
     .load = {2, 64, 4, 8},
     .store = {1, 32, 8, 8},
     .shared_load = {1, 32, 8, 1, 1},
     .shared_store = {2, 64, 4, 2, 2},
     .barriers = 1,
     .static_shared = 32 * 8},
    // Here too: lane i wants what i ^ 1 wants, 32 words in all.
    {.kernel = "shared_8_pairs",
     .load = {2, 64, 4, 8},
     .store = {1, 32, 8, 8},
     .shared_load = {1, 32, 8, 1, 1},
     .shared_store = {2, 64, 4, 2, 2},
     .barriers = 1,
     .static_shared = 32 * 8},
    // Four phases of 8 lanes, 32 words each.
    {.kernel = "shared_16_consecutive",
     .load = {1, 32, 16, 16},
     .store = {1, 32, 16, 16},
     .shared_load = {1, 32, 16, 4, 4},
     .shared_store = {1, 32, 16, 4, 4},
     .barriers = 1,
     .static_shared = 32 * 16},
    // Every lane in banks 0 to 3: 8 wavefronts for each phase.
    {.kernel = "shared_16_rows_of_64",
     .load = {1, 32, 16, 16},
     .store = {1, 32, 16, 16},
     .shared_load = {1, 32, 16, 32, 4},
     .shared_store = {1, 32, 16, 32, 4},
     .barriers = 1,
     .static_shared = 16 * 32 * 16},
    // Lane t from bank 4 t.
    {.kernel = "shared_16_rows_of_68",
     .load = {1, 32, 16, 16},
     .store = {1, 32, 16, 16},
     .shared_load = {1, 32, 16, 4, 4},
     .shared_store = {1, 32, 16, 4, 4},
     .barriers = 1,
     .static_shared = 17 * 32 * 16},
    // Stores: 3, 3, 2 and 3 lanes, all on different banks. Loads: no lane's partner is there to disagree, so two phases
    // become one; float4 t is on banks 4 t, for t = 0, 3, ..., 15 modulo 8 all different, for 18, ..., 30 too.
    {.kernel = "shared_16_every_third_lane",
     .load = {1, 11, 16, 11},
     .store = {1, 11, 16, 11},
     .shared_load = {1, 11, 16, 2, 2},
     .shared_store = {1, 11, 16, 4, 4},
     .barriers = 1,
     .static_shared = 32 * 16},
    // Lane i wants what i ^ 1 wants: a half warp at a time, two float4 each. 128 floats are filled in.
    {.kernel = "shared_16_quarter_warp_uniform",
     .load = {4, 128, 4, 16},
     .store = {1, 32, 16, 16},
     .shared_load = {1, 32, 16, 2, 2},
     .shared_store = {4, 128, 4, 4, 4},
     .barriers = 1,
     .static_shared = 32 * 16},
    // Lane i wants what i ^ 2 wants: a half warp at a time, two float4 on the same banks.
    {.kernel = "shared_16_alternating_one_bank",
     .load = {4, 128, 4, 16},
     .store = {1, 32, 16, 16},
     .shared_load = {1, 32, 16, 4, 2},
     .shared_store = {4, 128, 4, 4, 4},
     .barriers = 1,
     .static_shared = 32 * 16},
    // One word: a broadcast, one wavefront.
    {.kernel = "shared_atomic_uniform",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 1, 1},
     .shared_store = {1, 32, 4, 1, 1},
     .shared_atomic = {1, 32, 4, 1, 1},
     .barriers = 2,
     .static_shared = 32 * 4},

    // 32 rows, one per request, through 8 warps; columns are read back, all of a column in one bank.
    {.kernel = "transpose_unpadded",
     .load = {32, 1024, 4, 128},
     .store = {32, 1024, 4, 128},
     .shared_load = {32, 1024, 4, 1024, 32},
     .shared_store = {32, 1024, 4, 32, 32},
     .barriers = 1,
     .static_shared = 32 * 32 * 4},
    {.kernel = "transpose_padded",
     .load = {32, 1024, 4, 128},
     .store = {32, 1024, 4, 128},
     .shared_load = {32, 1024, 4, 32, 32},
     .shared_store = {32, 1024, 4, 32, 32},
     .barriers = 1,
     .static_shared = 32 * 33 * 4},
    // 4 blocks of 8 warps, 2 tiles, a row of a and of b each: 128 requests of two rows of 64 bytes. In shared memory two
    // neighbouring rows of 16 are 32 words; of a, two words are read, 16 banks apart, of b 16 words: 4 x 8 x 2 x 16 x 2.
    {.kernel = "matmul_tiled",
     .load = {128, 4096, 4, 512},
     .store = {32, 1024, 4, 128},
     .shared_load = {2048, 65536, 4, 2048, 2048},
     .shared_store = {128, 4096, 4, 128, 128},
     .barriers = 4 * 2 * 2,
     .static_shared = 2 * 16 * 16 * 4},
    // 8 steps with 128, 64, ..., 1 threads, in 4 + 2 + 1 + 1 + 1 + 1 + 1 + 1 = 12 warps: 255 additions of two words each.
    // One thread reads the sum.
    {.kernel = "tree_reduction",
     .load = {8, 256, 4, 32},
     .store = {1, 1, 4, 1},
     .shared_load = {2 * 12 + 1, 2 * 255 + 1, 4, 25, 25},
     .shared_store = {8 + 12, 256 + 255, 4, 20, 20},
     .barriers = 1 + 8,
     .static_shared = 256 * 4},
    {.kernel = "warp_reduction_by_shuffles",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shuffles = 5},
    {.kernel = "warp_votes", .load = {1, 32, 4, 4}, .store = {1, 32, 4, 4}, .votes = 2},
    {.kernel = "warp_exchange",
     .load = {1, 32, 4, 4},
     .store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 1, 1},
     .shared_store = {1, 32, 4, 1, 1},
     .warp_syncs = 1,
     .static_shared = 32 * 4},
    {.kernel = "exponentials", .load = {1, 32, 4, 4}, .store = {1, 32, 4, 4}, .exp_calls = 32},
    // 4 warps. A thread loads q and K 128 x 32 times, S 128 times, then S and V 32 x 128 times; it stores S twice, 2 x 128,
    // and 32 outputs. Rows of q, S and O lie at least 128 bytes apart: 32 sectors a request. K and V are the same for all
    // lanes: 1 sector.
    {.kernel = "naive_attention_kernel",
     .load =
         {4 * (4 * 4096 + 128), 128 * (4 * 4096 + 128), 4,
          4 * (2 * 4096 * 32 + 2 * 4096 + 128 * 32)},
     .store = {4 * 288, 128 * 288, 4, 4 * 288 * 32},
     .exp_calls = 128 * 128},
};

// ---- What the tests share ----

constexpr cpuDeviceSchedule kSchedules[] = {
    cpuDeviceScheduleForward, cpuDeviceScheduleReverse, cpuDeviceScheduleRandom};

class CountersTest : public testing::Test {
 protected:
  CountersTest() {
    cpuDeviceSetSchedule(cpuDeviceScheduleForward, 1);
    cpuDeviceClearCounters();
    cpuDeviceClearFindings();
    cpuDeviceSetCounting(1);
  }
  ~CountersTest() override { cpuDeviceClearFindings(); }

 private:
  testing::ScopedTrace trace_{
      __FILE__, __LINE__, std::string("kernels compiled by ") + counted_kernels_compiler()};
};

std::vector<cpuDeviceLaunch> launches() {
  size_t count = 0;
  const cpuDeviceLaunch* const all = cpuDeviceLaunches(&count);
  return {all, all + count};
}

std::string text_of_launch(size_t number) {
  const std::vector<cpuDeviceLaunch> all = launches();
  return number < all.size() ? text(all[number].counters) : "no such launch";
}

// What all lines of a launch did together.
cpuDeviceCounters sum_of_lines(size_t launch) {
  std::array<unsigned long long, sizeof(cpuDeviceCounters) / sizeof(unsigned long long)> sum = {};
  size_t count = 0;
  const cpuDeviceLine* const lines = cpuDeviceLines(launch, &count);
  for (size_t i = 0; i < count; ++i) {
    const auto numbers = std::bit_cast<decltype(sum)>(lines[i].counters);
    for (size_t n = 0; n < sum.size(); ++n) sum[n] += numbers[n];
  }
  return std::bit_cast<cpuDeviceCounters>(sum);
}

// Device memory of 32 elements, freed at the end of the scope.
template <typename T>
class Array {
 public:
  explicit Array(size_t count = 32) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemset(data_, 0, count * sizeof(T)), cudaSuccess);
  }
  ~Array() { cudaFree(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  operator T*() const { return data_; }

 private:
  T* data_ = nullptr;
};

// ---- The numbers ----

class KernelTest : public CountersTest, public testing::WithParamInterface<Expected> {};

TEST_P(KernelTest, IsCountedAsDefined) {
  const Expected& expected = GetParam();
  for (const cpuDeviceSchedule schedule : kSchedules) {
    SCOPED_TRACE(testing::Message() << "schedule " << schedule);
    cpuDeviceSetSchedule(schedule, 7);
    cpuDeviceClearCounters();
    ASSERT_EQ(run_micro_kernel(expected.kernel), cudaSuccess);
    const std::vector<cpuDeviceLaunch> all = launches();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_NE(std::string(all[0].kernel).find(expected.kernel), std::string::npos);
    EXPECT_EQ(text(all[0].counters), counted(expected));
    EXPECT_EQ(text(sum_of_lines(0)), counted(expected));
    EXPECT_EQ(all[0].static_shared, expected.static_shared);
    EXPECT_EQ(all[0].dynamic_shared, expected.dynamic_shared);
    EXPECT_EQ(all[0].launches, 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(Micro, KernelTest, testing::ValuesIn(kExpected), [](const auto& test) {
  return test.param.kernel;
});

// Trip k is a request of the lanes from k on, at one address: 32 + 31 + ... + 1 accesses.
TEST_F(CountersTest, LanesThatLeaveALoopAreMissingFromItsLaterRequests) {
  const Array<float> in, out;
  ASSERT_EQ(early_exits(in, out), cudaSuccess);
  EXPECT_EQ(text_of_launch(0), counted({.load = {32, 32 * 33 / 2, 4, 32}, .store = {1, 32, 4, 4}}));
}

// Lane 31 makes the most trips, 431; 8 x (100 + 200 + 300 + 400) + 31 x 32 / 2 accesses.
TEST_F(CountersTest, LongLoopsWithDifferentTripCounts) {
  const Array<float> in, out;
  for (const cpuDeviceSchedule schedule : kSchedules) {
    cpuDeviceClearCounters();
    cpuDeviceSetSchedule(schedule, 3);
    ASSERT_EQ(long_uneven_trips(in, out), cudaSuccess);
    EXPECT_EQ(
        text_of_launch(0),
        counted({.load = {431, 8 * 1000 + 31 * 16, 4, 431}, .store = {1, 32, 4, 4}}))
        << "schedule " << schedule;
  }
}

// Odd lanes make a load of their own first, so they are behind in every trip.
TEST_F(CountersTest, LanesThatAreBehindTakePartAllTheSame) {
  const Array<float> in, out;
  for (const cpuDeviceSchedule schedule : kSchedules) {
    cpuDeviceClearCounters();
    cpuDeviceSetSchedule(schedule, 3);
    ASSERT_EQ(late_lanes(in, out), cudaSuccess);
    EXPECT_EQ(
        text_of_launch(0),
        counted({.load = {1 + 300, 16 + 300 * 32, 4, 4 + 300}, .store = {1, 32, 4, 4}}))
        << "schedule " << schedule;
  }
}

TEST_F(CountersTest, ABarrierSeparatesRequests) {
  const Array<float> in, out;
  ASSERT_EQ(phases_of_a_barrier(in, out), cudaSuccess);
  EXPECT_EQ(
      text_of_launch(0), counted({.load = {2, 32, 4, 4}, .store = {1, 32, 4, 4}, .barriers = 2}));
}

// ---- Lines ----

std::string trimmed(const std::string& line) {
  const size_t first = line.find_first_not_of(' ');
  return first == std::string::npos ? "" : line.substr(first);
}

// The text of the line that "/path/file.cu:12" names.
std::string source_of(const std::string& place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string::npos) return "no line: '" + place + "'";
  std::ifstream in(place.substr(0, colon));
  std::string line;
  for (int n = std::stoi(place.substr(colon + 1)); n > 0; --n) std::getline(in, line);
  return trimmed(line);
}

// What each line of a launch did, by the line's text.
std::map<std::string, std::string> lines_of(size_t launch) {
  size_t count = 0;
  const cpuDeviceLine* const lines = cpuDeviceLines(launch, &count);
  std::map<std::string, std::string> result;
  for (size_t i = 0; i < count; ++i) result[source_of(lines[i].place)] += text(lines[i].counters);
  return result;
}

using Lines = std::map<std::string, std::string>;

TEST_F(CountersTest, EachLineHasWhatItDid) {
  ASSERT_EQ(run_micro_kernel("tree_reduction"), cudaSuccess);
  const Lines expected = {
      {"partial[t] = in[t];",
       counted({.load = {8, 256, 4, 32}, .shared_store = {8, 256, 4, 8, 8}})},
      {"if (t < half) partial[t] += partial[t + half];",
       counted({.shared_load = {24, 510, 4, 24, 24}, .shared_store = {12, 255, 4, 12, 12}})},
      {"__syncthreads();", counted({.barriers = 1}) + counted({.barriers = 8})},
      {"if (t == 0) out[0] = partial[0];",
       counted({.store = {1, 1, 4, 1}, .shared_load = {1, 1, 4, 1, 1}})},
  };
  EXPECT_EQ(lines_of(0), expected);
}

TEST_F(CountersTest, LinesOfADeviceFunctionAreItsOwn) {
  ASSERT_EQ(run_micro_kernel("shared_8_uniform"), cudaSuccess);
  const Lines expected = {
      {"for (int i = threadIdx.x; i < count; i += blockDim.x) tile[i] = in[i];",
       counted({.load = {2, 64, 4, 8}, .shared_store = {2, 64, 4, 2, 2}})},
      {"__syncthreads();", counted({.barriers = 1})},
      {"as_float2(out)[t] = tile[5];",
       counted({.store = {1, 32, 8, 8}, .shared_load = {1, 32, 8, 1, 1}})},
  };
  EXPECT_EQ(lines_of(0), expected);
}

TEST_F(CountersTest, ShufflesVotesAndExponentialsHaveLines) {
  ASSERT_EQ(run_micro_kernel("warp_reduction_by_shuffles"), cudaSuccess);
  ASSERT_EQ(run_micro_kernel("warp_votes"), cudaSuccess);
  ASSERT_EQ(run_micro_kernel("exponentials"), cudaSuccess);
  EXPECT_EQ(
      lines_of(0)["sum += __shfl_xor_sync(kFullWarp, sum, distance);"], counted({.shuffles = 5}));
  EXPECT_EQ(
      lines_of(1)["const int any = __any_sync(kFullWarp, number > 4000.0f);"],
      counted({.votes = 1}));
  EXPECT_EQ(
      lines_of(2)["out[t] = expf(in[t] * -0.001f);"],
      counted({.load = {1, 32, 4, 4}, .store = {1, 32, 4, 4}, .exp_calls = 32}));
}

TEST_F(CountersTest, LinesOfNoLaunchAreNone) {
  size_t count = 1;
  EXPECT_EQ(cpuDeviceLines(0, &count), nullptr);
  EXPECT_EQ(count, 0u);
}

// ---- Launches ----

TEST_F(CountersTest, LaunchesAreKeptInOrder) {
  const Array<float> in, out;
  ASSERT_EQ(copy_32(in, out), cudaSuccess);
  ASSERT_EQ(scale_32(in, out), cudaSuccess);
  ASSERT_EQ(copy_32(in, out), cudaSuccess);
  const std::vector<cpuDeviceLaunch> all = launches();
  ASSERT_EQ(all.size(), 3u);
  const char* const names[] = {"copy_kernel", "scale_kernel", "copy_kernel"};
  for (size_t n = 0; n < 3; ++n) {
    EXPECT_NE(std::string(all[n].kernel).find(names[n]), std::string::npos) << all[n].kernel;
    EXPECT_EQ(all[n].counters.global_load.requests, 1u);
    EXPECT_EQ(all[n].bytes_in_use, 512u);  // two allocations of 128 bytes, rounded up to 256
  }
}

TEST_F(CountersTest, LaunchesHaveTheirSizes) {
  ASSERT_EQ(run_micro_kernel("matmul_tiled"), cudaSuccess);
  const Array<float> in, out;
  ASSERT_EQ(copy_dynamic(in, out, 200), cudaSuccess);
  const std::vector<cpuDeviceLaunch> all = launches();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(std::vector(all[0].grid, all[0].grid + 3), (std::vector<unsigned>{2, 2, 1}));
  EXPECT_EQ(std::vector(all[0].block, all[0].block + 3), (std::vector<unsigned>{16, 16, 1}));
  EXPECT_EQ(all[1].static_shared, 128u);
  EXPECT_EQ(all[1].dynamic_shared, 200u);
}

TEST_F(CountersTest, NothingIsCountedUnlessAsked) {
  const Array<float> in, out;
  cpuDeviceSetCounting(0);
  ASSERT_EQ(copy_32(in, out), cudaSuccess);
  EXPECT_TRUE(launches().empty());
  cpuDeviceSetCounting(1);
  ASSERT_EQ(copy_32(in, out), cudaSuccess);
  EXPECT_EQ(launches().size(), 1u);
  cpuDeviceClearCounters();
  EXPECT_TRUE(launches().empty());
}

TEST_F(CountersTest, FailedLaunchesAreNotCounted) {
  const Array<float> in, out;
  EXPECT_EQ(copy_dynamic(in, out, 1 << 20), cudaErrorInvalidValue);
  EXPECT_TRUE(launches().empty());
}

TEST_F(CountersTest, LaunchesBeyond4096AreAddedToTheLastAlike) {
  const Array<float> in, out;
  ASSERT_EQ(scale_32(in, out), cudaSuccess);
  for (int n = 1; n < 4096; ++n) ASSERT_EQ(copy_32(in, out), cudaSuccess);
  ASSERT_EQ(launches().size(), 4096u);
  for (int n = 0; n < 10; ++n) ASSERT_EQ(copy_32(in, out), cudaSuccess);
  ASSERT_EQ(scale_32(in, out), cudaSuccess);
  ASSERT_EQ(add_atomically(Array<int>(), Array<int>()), cudaSuccess);  // like none before

  const std::vector<cpuDeviceLaunch> all = launches();
  ASSERT_EQ(all.size(), 4097u);
  EXPECT_EQ(all[0].launches, 2u);
  EXPECT_EQ(text(all[0].counters), counted({.load = {2, 64, 4, 8}, .store = {2, 64, 4, 8}}));
  EXPECT_EQ(all[1].launches, 1u);
  EXPECT_EQ(all[4095].launches, 11u);
  const std::string eleven = counted({.load = {11, 352, 4, 44}, .store = {11, 352, 4, 44}});
  EXPECT_EQ(text(all[4095].counters), eleven);
  EXPECT_EQ(lines_of(4095), (Lines{{"out[t] = in[t];", eleven}}));
  EXPECT_EQ(all[4096].launches, 1u);
}

// ---- Allocations ----

std::string traffic_of(const void* ptr) {
  cpuDeviceCounters traffic = {};
  return cpuDeviceTraffic(ptr, &traffic) == 1 ? text(traffic) : "no allocation";
}

TEST_F(CountersTest, TrafficOfEachAllocation) {
  const Array<float> in, out;
  ASSERT_EQ(copy_32(in, out), cudaSuccess);
  ASSERT_EQ(scale_32(in, out), cudaSuccess);
  EXPECT_EQ(traffic_of(in), counted({.load = {2, 64, 4, 8}}));
  EXPECT_EQ(traffic_of(out + 5), counted({.store = {2, 64, 4, 8}}));
  const Array<int> numbers, sums;
  ASSERT_EQ(add_atomically(numbers, sums), cudaSuccess);
  EXPECT_EQ(traffic_of(sums), counted({.atomic = {1, 32, 4, 4}}));
  cpuDeviceClearCounters();
  EXPECT_EQ(traffic_of(in), "");
}

// One request of the launch; of each allocation a request with the lanes that went there.
TEST_F(CountersTest, ARequestToTwoAllocationsIsSharedOut) {
  const Array<float> a, b, out;
  ASSERT_EQ(copy_alternating(a, b, out), cudaSuccess);
  EXPECT_EQ(launches().at(0).counters.global_load.requests, 1u);
  EXPECT_EQ(launches().at(0).counters.global_load.sectors, 8u);
  EXPECT_EQ(traffic_of(a), counted({.load = {1, 16, 4, 4}}));
  EXPECT_EQ(traffic_of(b), counted({.load = {1, 16, 4, 4}}));
}

TEST_F(CountersTest, TrafficOfWhatIsNoAllocation) {
  float* freed = nullptr;
  ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&freed), 128), cudaSuccess);
  ASSERT_EQ(cudaFree(freed), cudaSuccess);
  const float on_the_host = 0.0f;
  EXPECT_EQ(traffic_of(freed), "no allocation");
  EXPECT_EQ(traffic_of(&on_the_host), "no allocation");
  EXPECT_EQ(traffic_of(nullptr), "no allocation");
}

TEST_F(CountersTest, BytesInUseAndAtPeak) {
  const unsigned long long before = cpuDeviceBytesInUse();
  {
    const Array<char> small(1), large(1 << 20);
    EXPECT_EQ(cpuDeviceBytesInUse(), before + 256 + (1 << 20));
    EXPECT_GE(cpuDevicePeakBytes(), before + 256 + (1 << 20));
  }
  EXPECT_EQ(cpuDeviceBytesInUse(), before);
  const unsigned long long peak = cpuDevicePeakBytes();
  const Array<char> more(peak - before + 1);
  EXPECT_EQ(cpuDevicePeakBytes(), cpuDeviceBytesInUse());
  EXPECT_GT(cpuDevicePeakBytes(), peak);
}

// ---- Findings ----

TEST_F(CountersTest, FindingsCanBeReadAndCleared) {
  size_t count = 1;
  EXPECT_EQ(cpuDeviceFindings(&count), nullptr);
  EXPECT_EQ(count, 0u);

  const Array<float> in, out;
  ASSERT_EQ(read_past_the_end(in, out), cudaSuccess);
  const cpuDeviceFinding* const findings = cpuDeviceFindings(&count);
  ASSERT_EQ(count, 1u);
  EXPECT_EQ(findings[0].severity, cpuDeviceError);
  EXPECT_STREQ(findings[0].kind, "global-out-of-bounds");
  EXPECT_EQ(source_of(findings[0].place), "out[t] = in[t + 1];");
  EXPECT_STREQ(findings[0].other_place, "");
  EXPECT_EQ(findings[0].count, 1u);
  EXPECT_NE(std::string(findings[0].kernel).find("read_past_the_end_kernel"), std::string::npos);
  EXPECT_STREQ(findings[0].thread, "(31,0,0)");
  EXPECT_STREQ(findings[0].block, "(0,0,0)");
  EXPECT_NE(std::string(findings[0].message), "");

  cpuDeviceClearFindings();
  EXPECT_EQ(cpuDeviceFindings(&count), nullptr);
  EXPECT_EQ(count, 0u);
}

}  // namespace
