#include "inference/runtime_worker.hpp"

int main() { return tcfdl::inference::serve_runtime_request(); }
