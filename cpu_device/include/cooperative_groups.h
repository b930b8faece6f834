// Cooperative groups: the thread block, tiles of a warp, and coalesced threads.
#pragma once

#include "cuda_runtime.h"

namespace cooperative_groups {

namespace detail {
inline unsigned block_rank() {
  return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}
inline unsigned block_size() { return blockDim.x * blockDim.y * blockDim.z; }
}  // namespace detail

// All threads of the block.
class thread_block {
 public:
  void sync(CPU_DEVICE_SITE) const { __syncthreads(file, line); }
  static unsigned thread_rank() { return detail::block_rank(); }
  static unsigned size() { return detail::block_size(); }
  static unsigned num_threads() { return detail::block_size(); }
  static dim3 group_index() { return blockIdx; }
  static dim3 thread_index() { return threadIdx; }
  static dim3 group_dim() { return blockDim; }
  static dim3 dim_threads() { return blockDim; }
};
inline thread_block this_thread_block() { return {}; }

// The threads of a warp that a mask names; ranks count the lanes of the mask from below.
class coalesced_group {
 public:
  explicit coalesced_group(unsigned mask) : mask_(mask) {}
  unsigned thread_rank() const {
    return static_cast<unsigned>(__popc(mask_ & ((1u << cpuDeviceLane()) - 1)));
  }
  unsigned size() const { return static_cast<unsigned>(__popc(mask_)); }
  unsigned num_threads() const { return size(); }
  static unsigned meta_group_rank() { return 0; }
  static unsigned meta_group_size() { return 1; }
  void sync(CPU_DEVICE_SITE) const { __syncwarp(mask_, file, line); }
  template <class T>
  T shfl(T value, int rank, CPU_DEVICE_SITE) const {
    return __shfl_sync(mask_, value, lane_of(static_cast<unsigned>(rank) % size()), 32, file, line);
  }
  template <class T>
  T shfl_up(T value, unsigned delta, CPU_DEVICE_SITE) const {
    const unsigned rank = thread_rank();
    return __shfl_sync(mask_, value, lane_of(rank >= delta ? rank - delta : rank), 32, file, line);
  }
  template <class T>
  T shfl_down(T value, unsigned delta, CPU_DEVICE_SITE) const {
    const unsigned rank = thread_rank();
    const unsigned source = rank + delta < size() ? rank + delta : rank;
    return __shfl_sync(mask_, value, lane_of(source), 32, file, line);
  }
  int any(int predicate, CPU_DEVICE_SITE) const { return __any_sync(mask_, predicate, file, line); }
  int all(int predicate, CPU_DEVICE_SITE) const { return __all_sync(mask_, predicate, file, line); }
  // Bit r is the predicate of rank r.
  unsigned ballot(int predicate, CPU_DEVICE_SITE) const {
    return by_rank(__ballot_sync(mask_, predicate, file, line));
  }
  template <class T>
  unsigned match_any(T value, CPU_DEVICE_SITE) const {
    return by_rank(__match_any_sync(mask_, value, file, line));
  }

 private:
  int lane_of(unsigned rank) const {
    unsigned rest = mask_;
    for (unsigned i = 0; i < rank; ++i) rest &= rest - 1;
    return __ffs(static_cast<int>(rest)) - 1;
  }
  unsigned by_rank(unsigned lanes) const {
    unsigned ranks = 0;
    unsigned rank = 0;
    for (unsigned rest = mask_; rest != 0; rest &= rest - 1, ++rank) {
      if (lanes & rest & (~rest + 1)) ranks |= 1u << rank;
    }
    return ranks;
  }
  unsigned mask_;
};
inline coalesced_group coalesced_threads(CPU_DEVICE_SITE) {
  return coalesced_group(__activemask(file, line));
}

// Size consecutive threads of a group, inside one warp.
template <unsigned Size, class Parent = thread_block>
class thread_block_tile {
  static_assert(
      Size >= 1 && Size <= 32 && (Size & (Size - 1)) == 0,
      "a tile has 1, 2, 4, 8, 16 or 32 threads");

 public:
  static unsigned thread_rank() { return cpuDeviceLane() % Size; }
  static constexpr unsigned size() { return Size; }
  static constexpr unsigned num_threads() { return Size; }
  unsigned meta_group_rank() const { return rank_; }
  unsigned meta_group_size() const { return count_; }
  void sync(CPU_DEVICE_SITE) const { __syncwarp(mask(), file, line); }
  template <class T>
  T shfl(T value, int rank, CPU_DEVICE_SITE) const {
    return __shfl_sync(mask(), value, rank, Size, file, line);
  }
  template <class T>
  T shfl_up(T value, unsigned delta, CPU_DEVICE_SITE) const {
    return __shfl_up_sync(mask(), value, delta, Size, file, line);
  }
  template <class T>
  T shfl_down(T value, unsigned delta, CPU_DEVICE_SITE) const {
    return __shfl_down_sync(mask(), value, delta, Size, file, line);
  }
  template <class T>
  T shfl_xor(T value, int lane_mask, CPU_DEVICE_SITE) const {
    return __shfl_xor_sync(mask(), value, lane_mask, Size, file, line);
  }
  int any(int predicate, CPU_DEVICE_SITE) const {
    return __any_sync(mask(), predicate, file, line);
  }
  int all(int predicate, CPU_DEVICE_SITE) const {
    return __all_sync(mask(), predicate, file, line);
  }
  unsigned ballot(int predicate, CPU_DEVICE_SITE) const {
    return __ballot_sync(mask(), predicate, file, line) >> first_lane() & low_bits();
  }
  template <class T>
  unsigned match_any(T value, CPU_DEVICE_SITE) const {
    return __match_any_sync(mask(), value, file, line) >> first_lane() & low_bits();
  }

  thread_block_tile(unsigned rank, unsigned count) : rank_(rank), count_(count) {}

 private:
  static unsigned first_lane() { return cpuDeviceLane() / Size * Size; }
  static constexpr unsigned low_bits() { return Size == 32 ? ~0u : (1u << Size % 32) - 1; }
  static unsigned mask() { return low_bits() << first_lane(); }
  unsigned rank_, count_;
};

template <unsigned Size>
inline thread_block_tile<Size> tiled_partition(const thread_block&) {
  return {detail::block_rank() / Size, (detail::block_size() + Size - 1) / Size};
}
template <unsigned Size, unsigned ParentSize, class Grandparent>
inline thread_block_tile<Size, thread_block_tile<ParentSize, Grandparent>> tiled_partition(
    const thread_block_tile<ParentSize, Grandparent>& parent) {
  static_assert(Size <= ParentSize, "a tile is not larger than the group it divides");
  return {parent.thread_rank() / Size, ParentSize / Size};
}

template <class Group>
inline void sync(const Group& group, CPU_DEVICE_SITE) {
  group.sync(file, line);
}

}  // namespace cooperative_groups
