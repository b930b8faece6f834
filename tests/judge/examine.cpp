#include "examine.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "bound.h"
#include "diagnosis.h"
#include "lse_diagnosis.h"
#include "text.h"

namespace judge {
namespace {

using protocol::Reply;

constexpr int kReportLines = 12;

constexpr char kEmptyRow[] = "this row sees no key: O is 0";

[[noreturn]] void fail(
    const Case& c, const char* kind, const std::string& details, const Diagnosis& diagnosis = {}) {
  throw Failure{kind, c.words(), details, diagnosis, c.json()};
}

const char* kind_of_error(int error) {
  switch (error) {
    case kIllegalAddress:
      return "out of bounds";
    case kMisalignedAddress:
      return "misaligned";
    case kLaunchTimeout:
      return "hang";
    case kAssert:
    case kIllegalInstruction:
    case kLaunchFailure:
      return "crash";
    default:
      return "launch error";
  }
}

bool device_fault(int error) { return std::string(kind_of_error(error)) != "launch error"; }

std::string report_lines(const Reply& reply) {
  const std::string report = first_lines(sanitised(reply.report), kReportLines);
  return report.empty() ? "" : "\n" + report;
}

// "<<<(1, 1, 1), (2048, 1, 1), 0>>>"
std::string launch_words(const Reply& reply) {
  return format(
      "<<<(%u, %u, %u), (%u, %u, %u), %s>>>", reply.grid[0], reply.grid[1], reply.grid[2],
      reply.block[0], reply.block[1], reply.block[2], with_commas(reply.shared_bytes).c_str());
}

// Relative distance between output and reference, over the rows that are not right.
double relative_error(const Problem& problem, const float* O, const Comparison& comparison) {
  const int d = problem.shape.d;
  double difference = 0, size = 0;
  for (std::size_t n = 0; n < comparison.rows.size(); ++n) {
    if (comparison.states[n] == RowState::kRight) continue;
    const std::int64_t row = comparison.rows[n];
    const ReferenceRow reference = reference_row(problem, row);
    for (int k = 0; k < d; ++k) {
      const double error = O[row * d + k] - reference.O[k];
      difference += error * error;
      size += reference.O[k] * reference.O[k];
    }
  }
  return size > 0 ? std::sqrt(difference / size) : INFINITY;
}

// Changed floats of a buffer's guard zones, as offsets from the tensor: negative before it, else behind its end.
struct GuardDamage {
  std::int64_t before = 0, behind = 0;
  std::int64_t first_behind = 0;  // floats behind the end of the tensor
  std::int64_t last_behind = 0;
  std::int64_t nearest_before = 0;  // floats before its start
};

GuardDamage guard_damage(const Answer& answer, int tensor, const float* buffer) {
  const protocol::Request& request = answer.request;
  const std::int64_t start = request.guard_floats + request.offset_floats[tensor];
  const std::int64_t end = start + static_cast<std::int64_t>(request.elements[tensor]);
  const std::int64_t total = static_cast<std::int64_t>(protocol::buffer_floats(request, tensor));
  GuardDamage damage;
  for (std::int64_t n = 0; n < total; ++n) {
    if (n == start) n = end;
    if (n >= total) break;
    if (std::bit_cast<std::uint32_t>(buffer[n]) == protocol::filler_bits(tensor)) continue;
    if (n < start) {
      ++damage.before;
      damage.nearest_before = start - n;
    } else {
      if (damage.behind++ == 0) damage.first_behind = n - end;
      damage.last_behind = n - end;
    }
  }
  return damage;
}

void examine_guards(const Case& c, const Answer& answer, int tensor) {
  const GuardDamage damage = guard_damage(answer, tensor, answer.buffer(tensor));
  if (damage.before + damage.behind == 0) return;
  const RowsOf rows(c, tensor);
  const int length = c.row_length(tensor);
  std::string details = format(
      "%s floats outside %s were overwritten", with_commas(damage.before + damage.behind).c_str(),
      rows.name.c_str());
  if (damage.behind > 0)
    details += format(
        "\nbehind its end: rows %s = %lld..%lld of the last head, which has rows 0..%lld",
        rows.index, static_cast<long long>(rows.per_head + damage.first_behind / length),
        static_cast<long long>(rows.per_head + damage.last_behind / length),
        static_cast<long long>(rows.per_head - 1));
  if (damage.before > 0)
    details += format(
        "\nbefore its start: the nearest %lld floats before",
        static_cast<long long>(damage.nearest_before));
  Diagnosis diagnosis;
  if (damage.behind > 0 && damage.before == 0 && length > 1)
    diagnosis = {
        "row-guard-missing",
        rows.counts_keys
            ? "threads without a key write: which threads of the last block have one?"
            : "threads without a query write: which threads of the last block have one?",
        true};
  fail(c, "out of bounds", details, diagnosis);
}

}  // namespace

std::string element_name(const Case& c, int tensor, std::int64_t row, int k) {
  const RowsOf rows(c, tensor);
  const std::int64_t head = row / rows.per_head;
  std::string name = format(
      "%s[b=%lld h=%lld %s=%lld", rows.name.c_str(),
      static_cast<long long>(head / rows.heads_of_batch),
      static_cast<long long>(head % rows.heads_of_batch), rows.index,
      static_cast<long long>(row % rows.per_head));
  if (tensor == protocol::kLSE || tensor == protocol::kDelta) return name + "]";
  const bool of_pairs = tensor == protocol::kGradP || tensor == protocol::kGradS;
  return name + format(" %s=%d]", of_pairs ? "j" : "k", k);
}

void examine_errors(const Case& c, const Answer& answer) {
  const Reply& reply = answer.reply;
  const std::string function = protocol::function_name(answer.request.operation);
  const struct {
    int error;
    const char* text;
  } places[] = {
      {reply.sync_error, reply.sync_error_text},
      {reply.returned, reply.returned_text},
      {reply.launch_failed, reply.launch_failed_text},
      {reply.last_error, reply.last_error_text},
  };
  for (const auto& [error, text] : places)
    if (device_fault(error))
      fail(c, kind_of_error(error), "the kernel failed: " + sanitised(text) + report_lines(reply));

  // Lessons that do not have the feature yet are asked through Check::refuses_or_values.
  if (reply.returned == kNotSupported && (c.causal || c.kv_heads() != c.heads))
    fail(
        c, "not supported",
        function + " returned " + sanitised(reply.returned_text) +
            (c.kv_heads() != c.heads ? format(
                                           "\nnum_heads = %d with num_heads_kv = %d has to be "
                                           "supported from lesson 07 on",
                                           c.heads, c.kv_heads())
                                     : "\ncausal = true has to be supported from lesson 05 on"));
  if (reply.returned != kSuccess) {
    std::string details = function + " returned " + sanitised(reply.returned_text);
    if (reply.failed_bytes > 0)
      details += "\nan allocation of " + with_commas(reply.failed_bytes) + " bytes failed";
    if (reply.launch_failed != kSuccess) details += "\nthe launch was " + launch_words(reply);
    fail(c, "launch error", details + report_lines(reply));
  }
  if (reply.launch_failed != kSuccess)
    fail(
        c, "launch error",
        "the kernel never ran: " + sanitised(reply.launch_failed_text) + "\nthe launch was " +
            launch_words(reply) + "\n" + function +
            " returned cudaSuccess all the same; a launch returns nothing, its error waits in "
            "cudaGetLastError()" +
            report_lines(reply));
  if (reply.sync_error != kSuccess)
    fail(
        c, "launch error",
        "the device failed: " + sanitised(reply.sync_error_text) + report_lines(reply));
  if (reply.launches == 0 && c.q_elements() > 0 && c.kv_elements() > 0)
    fail(c, "launch error", "no kernel was launched, and " + function + " returned cudaSuccess");
}

void examine_memory(const Problem& problem, const Answer& answer) {
  const Case& c = problem.shape;
  if (!answer.reply.outputs_read)
    fail(c, "crash", "the outputs could not be copied back from the device");

  const protocol::Operation operation = answer.request.operation;
  for (int t = 0; t < protocol::kTensors; ++t) {
    if (!protocol::is_input(operation, t)) continue;
    std::vector<float> buffer(protocol::buffer_floats(answer.request, t));
    protocol::fill_buffer(answer.request, t, problem.inputs.tensor(t).data(), buffer.data());
    if (answer.reply.input_hash[t] != protocol::hash_floats(buffer.data(), buffer.size()))
      fail(
          c, "out of bounds",
          format(
              "%s, which is an input, or the memory just around it was written",
              protocol::tensor_name(t)));
  }
  for (int t = 0; t < protocol::kTensors; ++t)
    if (protocol::is_output(operation, t)) examine_guards(c, answer, t);
}

void examine_values(
    const Problem& problem, const Answer& answer, const Evidence& evidence,
    const std::vector<std::int64_t>& rows) {
  const Case& c = problem.shape;
  const float* const O = answer.O();
  const std::uint32_t filler = protocol::filler_bits(protocol::kO);
  const Comparison comparison =
      rows.empty() ? compare(problem, O, filler) : compare_rows(problem, O, filler, rows);
  if (comparison.accepted()) return;
  const std::string pattern = describe_rows({c, protocol::kO}, comparison);

  if (comparison.never_written > 0) {
    const Element& first = comparison.first_never_written;
    const Diagnosis diagnosis = diagnose_unwritten({c, protocol::kO}, comparison);
    std::string details = element_name(c, protocol::kO, first.row, first.k) +
                          " still holds the NaN that was there before the launch\n" + pattern;
    fail(c, "never written", details, diagnosis);
  }
  if (comparison.not_finite > 0) {
    const Element& first = comparison.first_not_finite;
    Diagnosis diagnosis = nan_origin(first.got);
    if (diagnosis.slug.empty()) diagnosis = diagnose(problem, O, comparison, evidence);
    const ReferenceRow reference = reference_row(problem, first.row);
    std::string details = format(
        "%s = %s, expected %.5g\n", element_name(c, protocol::kO, first.row, first.k).c_str(),
        number_words(first.got).c_str(), first.expected);
    details += problem.visible_keys(first.row) == 0
                   ? kEmptyRow
                   : format(
                         "the scores of this row lie between %.4g and %.4g; expf overflows above "
                         "88.7 and gives 0 below -103.9",
                         reference.s_min, reference.s_max);
    fail(c, "not finite", details + "\n" + pattern, diagnosis);
  }

  const Element& worst = comparison.worst;
  const Diagnosis diagnosis = diagnose(problem, O, comparison, evidence);
  const bool precision =
      !diagnosis.confident && only_digits_lost(worst.ratio, relative_error(problem, O, comparison));
  std::string details = format(
      "%s = %.5g, expected %.5g   (error %.2g times the rounding bound)\n%s",
      element_name(c, protocol::kO, worst.row, worst.k).c_str(), static_cast<double>(worst.got),
      worst.expected, worst.ratio, pattern.c_str());
  if (problem.visible_keys(worst.row) == 0) details += std::string("\n") + kEmptyRow;
  if (precision) details += "\nall errors are small: the formula is right, digits are lost";
  fail(c, precision ? "precision" : "wrong values", details, diagnosis);
}

void examine_lse(const Problem& problem, const Answer& answer) {
  const Case& c = problem.shape;
  const float* const LSE = answer.LSE();
  const Comparison comparison = compare_lse(problem, LSE, protocol::filler_bits(protocol::kLSE));
  if (comparison.accepted()) return;
  const std::string pattern = describe_rows({c, protocol::kLSE}, comparison);

  if (comparison.never_written > 0) {
    Diagnosis diagnosis;
    if (comparison.never_written == c.rows())
      diagnosis = {"lse-never-written", "the kernel writes nothing to LSE", true};
    fail(
        c, "never written",
        element_name(c, protocol::kLSE, comparison.first_never_written.row, 0) +
            " still holds the NaN that was there before the launch\n" + pattern,
        diagnosis);
  }

  const bool not_finite = comparison.not_finite > 0;
  const Element& element = not_finite ? comparison.first_not_finite : comparison.worst;
  const ReferenceRow reference = reference_row(problem, element.row);
  std::string details = format(
      "%s = %s, expected %s", element_name(c, protocol::kLSE, element.row, 0).c_str(),
      number_words(element.got).c_str(), number_words(element.expected).c_str());
  if (!not_finite && std::isfinite(element.expected))
    details += format("   (error %.2g times the rounding bound)", element.ratio);
  if (problem.visible_keys(element.row) == 0)
    details += "\nthis row sees no key: the sum of no exponentials is 0, and ln 0 = -inf";
  else
    details += format(
        "\nLSE = m + ln l; in this row m = %.5g and ln l = %.5g", reference.s_max,
        reference.LSE - reference.s_max);
  fail(
      c, not_finite ? "not finite" : "wrong values", details + "\n" + pattern,
      diagnose_lse(problem, LSE, comparison));
}

std::string touched_output(const Answer& answer) {
  for (int t = 0; t < protocol::kTensors; ++t) {
    if (t == protocol::kLSE || !protocol::is_output(answer.request.operation, t)) continue;
    const float* const values = answer.tensor(t);
    const bool untouched =
        std::all_of(values, values + answer.request.elements[t], [&](const float& value) {
          return std::bit_cast<std::uint32_t>(value) == protocol::filler_bits(t);
        });
    if (!untouched) return protocol::tensor_name(t);
  }
  return "";
}

}  // namespace judge
