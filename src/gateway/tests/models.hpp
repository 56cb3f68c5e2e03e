// A deployed model for tests, without what runs it.
#pragma once

#include "inference/stage_description.hpp"

#include <cstring>

namespace tcfdl::gateway {

using inference::ElementType;

/// Of the inputs, `picture` has a shape of its own, the rows of the others are open.
inline inference::ModelDescription net() {
  return {.name = "net-of-the-owner",
          .version = 3,
          .inputs = {{.name = "picture", .type = ElementType::kFloat, .shape = {1, 2, 3}},
                     {.name = "words", .type = ElementType::kInt64, .shape = {-1, 2}}},
          .outputs = {{.name = "scores", .type = ElementType::kFloat, .shape = {1, -1}},
                      {.name = "half", .type = ElementType::kFloat16, .shape = {2}}}};
}

/// The elements of a tensor.
template <class... Numbers> Bytes elements(Numbers... numbers) {
  Bytes data;
  const auto put = [&](auto number) {
    data.resize(data.size() + sizeof(number));
    std::memcpy(data.data() + data.size() - sizeof(number), &number, sizeof(number));
  };
  (put(numbers), ...);
  return data;
}

} // namespace tcfdl::gateway
