// cooperative_groups::reduce and its operators, for tiles and coalesced groups.
#pragma once

#include "../cooperative_groups.h"

namespace cooperative_groups {

template <class T>
struct plus {
  T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
  T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
  T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct bit_and {
  T operator()(T a, T b) const { return a & b; }
};
template <class T>
struct bit_or {
  T operator()(T a, T b) const { return a | b; }
};
template <class T>
struct bit_xor {
  T operator()(T a, T b) const { return a ^ b; }
};

// Every thread of a tile gets the reduction of all values, combined pairwise as the hardware's shuffles do it.
template <unsigned Size, class Parent, class T, class Op>
inline T reduce(const thread_block_tile<Size, Parent>& tile, T value, Op op, CPU_DEVICE_SITE) {
  for (unsigned offset = Size / 2; offset > 0; offset /= 2) {
    value = op(value, tile.shfl_xor(value, static_cast<int>(offset), file, line));
  }
  return value;
}

template <class T, class Op>
inline T reduce(const coalesced_group& group, T value, Op op, CPU_DEVICE_SITE) {
  T total = group.shfl(value, 0, file, line);
  for (unsigned rank = 1; rank < group.size(); ++rank) {
    total = op(total, group.shfl(value, static_cast<int>(rank), file, line));
  }
  return total;
}

}  // namespace cooperative_groups
