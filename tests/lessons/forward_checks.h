// The checks that every lesson on the forward pass makes, and the inputs that they make them with.
//
// N_q, N_k and d are chosen so that every check catches something that the ones before it let through; a case that
// does not say otherwise has batch = 1, heads = 1, d = 64, softmax_scale = 1 / sqrt(d) and normally distributed inputs.
#pragma once

#include <string>
#include <vector>

#include "judge/lesson_main.h"

namespace lessons {

// What the lesson's kernel can do beyond lesson 01.
struct Features {
  bool lse = false;
  bool causal = false;
  bool grouped_heads = false;
};

// The plan of the checks from compiles to safety, and then of the lesson's own. text: "lessons/01_naive/README.md";
// memory_section: the one that says how much memory the kernel takes.
std::vector<judge::CheckPlan> plan_with(
    const std::string& text, const char* memory_section, const std::vector<judge::CheckPlan>& own);

// All lists of mistakes in one.
std::vector<judge::Mistake> joined(const std::vector<std::vector<judge::Mistake>>& lists);

// The file compiles, and the library that comes out exports attention_forward.
void compiles(judge::Check& check);

// A kernel is launched, and neither the launcher nor the device reports an error.
void launches(judge::Check& check);

// One head with no more rows than one small block has threads.
void one_tile(judge::Check& check);

// Several blocks, and several tiles of keys, all of them full.
void many_tiles(judge::Check& check);

// Lengths that no block and no tile divides.
void ragged(judge::Check& check);

// More keys than queries, and fewer.
void cross_attention(judge::Check& check);

// Every head of every batch has data of its own.
void batch_and_heads(judge::Check& check);

// Any head_dim from 1 to 128.
void head_dims(judge::Check& check);

// Scores of every size and sign, any softmax_scale, pointers that are only 4-byte aligned.
void hard_numbers(judge::Check& check);

// Element numbers beyond 2^31 in a matrix of scores, for lessons that store one.
void large_scores(judge::Check& check);

// Element numbers beyond 2^31 in Q and O, and in K and V.
void large_tensors(judge::Check& check);

// What kernels/attention.h promises, beyond the values.
void contract(judge::Check& check, const Features& features = {});

// Scratch memory is given back and grows no faster than this. How much it is, the report shows.
void memory(judge::Check& check, judge::Growth most, const Features& features = {});

// The same answers whatever the order in which blocks and warps run.
void repeatable(judge::Check& check, const Features& features = {});

// Ragged, in several heads, narrow and wide, unaligned: where an access most easily goes wrong.
std::vector<judge::Case> safety_shapes(const judge::Check& check);

// Every access is inside its memory, reads a value, and races with no other: also where the result happened to be right.
void safety(judge::Check& check, const Features& features = {});

// From lesson 02 on: K and V are loaded once per tile of queries, not once per query. CPU device only.
void traffic(judge::Check& check);

// From lesson 03 on: scores that rise or fall from tile to tile, over many tiles.
void rising(judge::Check& check);

// From lesson 03 on: LSE, in all the cases that the checks on O have.
void lse(judge::Check& check, const Features& features);

// From lesson 04 on: rows that are no multiple of 16 bytes long, and each of the tensors in turn off its alignment.
void scalar_path(judge::Check& check);

// From lesson 04 on: on tensors that are aligned, with rows of whole float4s, nearly all bytes move in 16-byte accesses.
// Many keys for few queries, because a kernel may well leave Q and O alone. CPU device only.
void access_width(judge::Check& check);

// From lesson 05 on: causal, and every query sees at least one key.
void causal(judge::Check& check);

// From lesson 05 on: more queries than keys, so that the first ones see nothing, and their rows of O are 0.
void rows_without_keys(judge::Check& check);

// From lesson 05 on: whatever lies in a query's future leaves its row as it is, to the last bit.
void prefix(judge::Check& check);

// From lesson 05 on: with the mask, K and V cost about half of what they cost without it. CPU device only.
void skipped_tiles(judge::Check& check);

// From lesson 07 on: several query heads share a key/value head.
void grouped_heads(judge::Check& check);

}  // namespace lessons
