// Plans of models for people.
#pragma once

#include "inference/model_plan.hpp"

namespace tcfdl::cli {

/// Stages, cuts and what other numbers of stages would give, as tables.
std::string plan_text(const inference::ModelPlan& plan);

/// The same as an SVG document: stages with the memory that they need, and the tensors between them.
std::string plan_svg(const inference::ModelPlan& plan);

} // namespace tcfdl::cli
