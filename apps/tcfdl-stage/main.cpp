#include "inference/stage_program.hpp"

int main() { return tcfdl::inference::serve_stage(); }
