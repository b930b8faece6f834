#include "perform.h"

#include <nanobind/stl/string.h>

#include <string>
#include <vector>

namespace nb = nanobind;

namespace flash_lessons {
namespace {

nb::dict as_dict(const Accesses& a) {
  nb::dict dict;
  dict["requests"] = a.requests;
  dict["accesses"] = a.accesses;
  dict["bytes"] = a.bytes;
  dict["bytes_16"] = a.bytes_16;
  dict["sectors"] = a.sectors;
  dict["wavefronts"] = a.wavefronts;
  dict["ideal_wavefronts"] = a.ideal_wavefronts;
  return dict;
}

nb::dict as_dict(const Counters& c) {
  nb::dict dict, tensors;
  dict["global_load"] = as_dict(c.global_load);
  dict["global_store"] = as_dict(c.global_store);
  dict["global_atomic"] = as_dict(c.global_atomic);
  dict["shared_load"] = as_dict(c.shared_load);
  dict["shared_store"] = as_dict(c.shared_store);
  dict["shared_atomic"] = as_dict(c.shared_atomic);
  dict["barriers"] = c.barriers;
  dict["warp_syncs"] = c.warp_syncs;
  dict["shuffles"] = c.shuffles;
  dict["votes"] = c.votes;
  dict["exp_calls"] = c.exp_calls;
  for (int t = 0; t < kTensors; ++t) {
    nb::dict one;
    one["load"] = as_dict(c.tensor_load[t]);
    one["store"] = as_dict(c.tensor_store[t]);
    one["atomic"] = as_dict(c.tensor_atomic[t]);
    tensors[kTensorNames[t]] = one;
  }
  dict["tensors"] = tensors;
  return dict;
}

struct Findings {
  struct One {
    std::string severity, kind, place, other_place, kernel, thread, block, message;
    std::uint64_t count;
  };
  std::vector<One> all;

  static void add(void* user, const Finding* f) {
    static_cast<Findings*>(user)->all.push_back(
        {f->severity, f->kind, f->place, f->other_place, f->kernel, f->thread, f->block, f->message,
         f->count});
  }

  nb::list as_list() const {
    nb::list list;
    for (const One& f : all) {
      nb::dict dict;
      dict["severity"] = f.severity;
      dict["kind"] = f.kind;
      dict["place"] = f.place;
      dict["other_place"] = f.other_place;
      dict["kernel"] = f.kernel;
      dict["thread"] = f.thread;
      dict["block"] = f.block;
      dict["message"] = f.message;
      dict["count"] = f.count;
      list.append(dict);
    }
    return list;
  }
};

}  // namespace

nb::dict perform(const KernelLibrary& library, const Call& call) {
  Result result{};
  Findings findings;
  {
    const nb::gil_scoped_release released;
    library.run(call, &result, Findings::add, &findings);
  }
  if (PyErr_CheckSignals() != 0) throw nb::python_error();  // Ctrl-C
  nb::dict dict;
  dict["shape"] = nb::make_tuple(
      call.batch, call.num_heads, call.num_heads_kv, call.seq_len_q, call.seq_len_k, call.head_dim);
  dict["softmax_scale"] = call.softmax_scale;
  dict["error"] = result.error;
  dict["error_name"] = result.error_name;
  dict["error_text"] = result.error_text;
  dict["fault"] = nb::steal<nb::str>(PyUnicode_DecodeUTF8(
      result.report, std::char_traits<char>::length(result.report), "replace"));
  dict["launches"] = result.launches;
  dict["allocations"] = result.allocations;
  dict["peak_bytes"] = result.peak_bytes;
  dict["held_bytes"] = result.held_bytes;
  dict["failed_bytes"] = result.failed_bytes;
  dict["static_bytes"] = library.static_bytes();
  nb::dict tensor_bytes;
  for (int t = 0; t < kTensors; ++t) tensor_bytes[kTensorNames[t]] = result.tensor_bytes[t];
  dict["tensor_bytes"] = tensor_bytes;
  if (call.count) {
    dict["counters"] = as_dict(result.counters);
    dict["findings"] = findings.as_list();
  }
  return dict;
}

}  // namespace flash_lessons
