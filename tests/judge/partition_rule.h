// How FlashAttention-2 divides the work, as far as counts can tell: blocks for many queries, warps that own rows of
// queries, register tiles, few barriers and few exponentials. No clock.
//
// Blocks. One head has to fill a GPU: a block for every 128 queries at least, asked for with 1,024 queries, so that it is
// less than one block for each multiprocessor of any GPU.
//
// Barriers. At most 2 per tile of keys: one before the next tile overwrites K and V, one before they are read; a kernel
// with two buffers needs 1. Bc is not known. As a function of N_k, the barriers of one tile of queries are a staircase,
// whose steps are Bc keys wide and as high as a tile has barriers: both are averaged over some steps, so that what
// happens once per call does not count. Blocks that share the keys of one query may take their steps at the same time,
// so with several blocks the lowest step counts. A tile of fewer than 8 keys is taken for a part of one of 8.
//
// The other rules look at what grows with the keys: the difference between two calls with N_k that lie 384 apart, a
// multiple of all usual tiles. An atomic on shared memory is a load and a store. Loading Q, a merge of partial results at the very end and writing O do not grow.
//
// Exponentials. One per score for P, and the rescale factor exp(m_old - m_new) of a row and tile. If all threads that
// share a row compute the factor themselves, each having n keys of the tile, it adds 1 / n per score:
//
//   4 x 4, 8 x 4 scores per thread    1.25        one thread per row, Bc = 32 (lesson 05)    1.03
//   8 x 8                             1.125       two exponentials per score                 2
//   8 x 2                             1.5         4 threads per row that repeat the row      4
//
// At most 1.6: more than any of the first kind, less than one exponential too many.
//
// Shared stores, bytes per score. K and V are stored once as they come from global memory: 8 d / Br, which is known from
// the counted loads of K and V (and of scratch, for a copy of them that is laid out differently). P may be stored, 4, and
// before it S, 4 more. m and l of a row that stay with one warp are 8 / Bc. A split of each tile's keys over W warps
// (FlashAttention-1) makes W - 1 or W partial sums of O, [Br, d] each: 4 (W - 1) d / Bc at least. At d = 128:
//
//   FlashAttention-2, Br x Bc        64 x 64    128 x 64    128 x 32    64 x 32    32 x 32    lesson 05, 64 x 32
//   K and V                               16           8           8         16         32                    16
//   P in registers or by shuffles         16           8           8         16         32                    16
//   P in shared memory                    20          12          12         20         36                     -
//   S and P in shared memory              24          16          16         24         40                     -
//   split over 4 warps, P in registers    40          32          56         64         80                     -
//   accepted: 1.1 (K and V + 8)         26.4        17.6        17.6       26.4         44                  26.4
//
// What this cannot tell: 2 warps that split tiles of 64 keys or more and keep P in registers store 8 bytes, as S and P
// do.
//
// Shared loads, bytes per multiply-add, summed over the threads. A thread with a tile of a x b results loads a + b floats
// for a b of them, 4 (a + b) / (a b) bytes: 2 for 4 x 4, 1.5 for 8 x 4, 1 for 8 x 8, 3 for 4 x 2, and with q or p in
// registers half as much or less. Lesson 05 has one row per thread and q and p in registers: 4 / 1 = 4. At most 2.2. What
// is loaded from Q in global memory for every key counts as well; a tile of Q that is loaded once does not grow.
//
// d = 128 is the largest head dimension, so no kernel pads it. A kernel that has no room for large tiles there may show
// at d = 64 what it loads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "attention_case.h"
#include "runner/protocol.h"

namespace judge {

struct PartitionVerdict {
  const char* kind = "";  // of the failure; "" if there is none
  std::string words;      // the numbers, whatever the verdict is
  bool accepted() const { return *kind == '\0'; }
};

// blocks: launched for N_q queries of one head.
PartitionVerdict judge_blocks(int N_q, std::uint64_t blocks);

// The steps of a staircase between two lengths.
struct Steps {
  int count = 0;
  int first = 0, last = 0;     // N_k of the first and the last one
  std::uint64_t barriers = 0;  // of all steps
  std::uint64_t lowest = 0;    // of the step with the fewest
};

// Asks for the barriers of as few lengths as it can: where two of them have the same number, nothing in between is asked
// for.
Steps find_steps(const std::function<std::uint64_t(int N_k)>& barriers, int from, int to);

PartitionVerdict judge_barriers(const Steps& steps, bool one_block);

// What one more call did than another.
protocol::Counts growth(const protocol::Counts& less, const protocol::Counts& more);

// added: the growth of the counts; shape.N_k: that of the keys.
PartitionVerdict judge_exponentials(const Case& shape, const protocol::Counts& added);
PartitionVerdict judge_shared_stores(const Case& shape, const protocol::Counts& added);
PartitionVerdict judge_shared_loads(const Case& shape, const protocol::Counts& added);

}  // namespace judge
