// How often a kernel loads K and V, how wide its accesses are, and how much a causal one skips: rules on counted
// accesses.
//
// What the launch says about tiles is no sure guide: a persistent kernel has as many blocks as the device has
// multiprocessors, a kernel that splits the keys has several blocks for the same queries, and warps may have tiles of
// their own inside a block. So the rules rest on the bytes alone, counted as the threads ask for them:
//
//   passes of K  =  bytes of K loaded / bytes of K, and the same for V.
//
// Lesson 01 makes exactly N_q passes of each. A tile of Br queries that goes through the keys once makes one pass, so
// a kernel makes N_q / Br of them whatever its grid is: splitting the keys over blocks or looping over tiles in one
// block changes nothing. The smallest tile that counts as one has 16 queries, and 10 % are allowed for what ragged tiles
// load twice: at most 1.1 ceil(N_q / 16) passes of V. A softmax that needs its maximum and its sum first goes through K up
// to three times for each tile, and through V once; one pass over the keys means that K is loaded as often as V.
//
// A copy of K or V in scratch memory does not get around this: what is loaded from scratch is bounded as well, and what
// is loaded from K, V and scratch together must hold each of them once, or the count cannot be right.
#pragma once

#include <cstdint>
#include <string>

#include "attention_case.h"
#include "runner/protocol.h"

namespace judge {

struct TrafficVerdict {
  const char* kind = "";  // of the failure; "" if there is none
  std::string words;      // the numbers, whatever the verdict is
  bool accepted() const { return *kind == '\0'; }
};

struct Passes {
  double K = 0, V = 0;
};

Passes passes_of(const Case& shape, const protocol::Counts& counts);

// most_trips: how often a tile of queries may go through K: 3 where scores are stored or computed again, 1 where one
// pass over K and V is asked for. A kernel that stores scores may load each of them once per element of O.
TrafficVerdict judge_passes(const Case& shape, const protocol::Counts& counts, int most_trips);

// At least 90 % of the bytes of Q, K, V and O in accesses of 16 bytes.
TrafficVerdict judge_width(const protocol::Counts& counts);

// The causal kernel loads at most 60 % of the bytes of K and V that the same kernel loads without the mask. With n tiles of
// queries, (n + 1) / 2n of them are left where nothing is loaded in vain: 3 / 4 for 2 tiles, which is what a block of 1,024
// queries makes of the longest problem. Where the loop over keys is the outer one, each key is loaded once whatever is
// skipped, and the queries are loaded for every tile of keys: then the bytes of Q are compared.
TrafficVerdict judge_skipping(
    const Case& shape, const protocol::Counts& full, const protocol::Counts& causal);

// N for judge_skipping: 8 tiles of queries of the size that the passes at N_q queries tell, and at least 1,024, which is
// 8 tiles of 128 keys. Tiles of 1 / 8 of N leave 9 / 16 of the work. At most 2,048: a counted run must not take long.
int skipping_length(const Passes& full, int N_q);

// 64000000 as "64.0 MB".
std::string megabytes(double bytes);

}  // namespace judge
