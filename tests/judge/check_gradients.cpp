// The checks of the backward pass, gradient by gradient and stage by stage.
#include <algorithm>
#include <bit>

#include "check.h"
#include "examine_gradients.h"

namespace judge {

void Check::gradients(const Case& shape, const std::vector<int>& tensors) {
  const Problem problem = draw_next(shape);
  examine_gradients(problem, sound_answer(problem, {}), tensors);
}

void Check::stage(const Case& shape, const std::vector<int>& tensors) {
  const Problem problem = draw_next(shape);
  if (runner().has(protocol::Operation::kStages)) {
    const Answer answer = sound_answer(problem, {.operation = protocol::Operation::kStages});
    examine_stages(problem, answer, tensors);
    return;
  }
  // dQ or dK cannot be right if D, dP or dS is wrong.
  const Answer answer = sound_answer(problem, {});
  try {
    examine_gradients(problem, answer, {protocol::kGradK});
  } catch (const Failure&) {
    try {
      examine_gradients(problem, answer, {protocol::kGradQ});
    } catch (Failure& failure) {
      failure.details +=
          "\nthe file has no attention_backward_stages, so that D, dP and dS are judged by dQ and "
          "dK";
      throw;
    }
  }
}

void Check::forward_holds_no_memory(const Case& shape) {
  if (!runner().has(protocol::Operation::kForward)) return;
  const Problem problem = draw_next(shape);
  const Answer answer = call(problem, {.operation = protocol::Operation::kForward});
  if (answer.reply.held_bytes == 0) return;
  fail(
      shape, "memory",
      "attention_forward leaves memory allocated for the backward pass; O and LSE are what it "
      "passes on");
}

void Check::examine_written_gradients(const Problem& problem, const Answer& answer) {
  std::vector<int> written;
  for (const int tensor : {protocol::kGradV, protocol::kGradK, protocol::kGradQ}) {
    const float* const values = answer.tensor(tensor);
    const bool whole =
        std::none_of(values, values + problem.shape.elements(tensor), [&](const float& value) {
          return std::bit_cast<std::uint32_t>(value) == protocol::filler_bits(tensor);
        });
    if (whole) written.push_back(tensor);
  }
  if (written.empty()) not_run("the last blocks of the launches write nothing of the last head");
  examine_gradients(problem, answer, written);
}

}  // namespace judge
