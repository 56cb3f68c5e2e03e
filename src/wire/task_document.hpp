// A task that has ended, as it is posted to callbacks: docs/formats/task_document.md.
#pragma once

#include "wire/messages.hpp"

#include <utility>

namespace tcfdl::wire {

constexpr std::string_view kTaskDocumentType = "application/vnd.tcfdl.task";

/// What comes before the segments of the result.
Bytes task_document_head(const StoredTask& task);

/// The task of a document, and the segments of its result. INVALID_ARGUMENT for what is none.
Result<std::pair<StoredTask, BytesView>> parse_task_document(BytesView document);

} // namespace tcfdl::wire
