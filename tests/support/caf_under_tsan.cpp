// What the thread sanitizer cannot see, since Debian's libcaf_core is not built with it: a message carries over to its
// receiver what its sender did before, and the turns of an actor follow each other.  The functions here take the place
// of CAF's own of these names, say so, and call them.  A race between two actors is reported as any other.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <caf/all.hpp>

namespace {

/// CAF's own function of a mangled name.
template <class Function>
Function caf_function(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

/// Whoever frees a message, read or not, does so after it was sent.
void order_its_end(const caf::mailbox_element_ptr& message) {
  __tsan_release(static_cast<caf::memory_managed*>(message.get()));
}

}  // namespace

namespace caf {

void scheduled_actor::launch(execution_unit* context, bool lazy, bool hide) {
  static auto own = caf_function<void (*)(scheduled_actor*, execution_unit*, bool, bool)>(
      "_ZN3caf15scheduled_actor6launchEPNS_14execution_unitEbb");
  __tsan_release(ctrl());
  own(this, context, lazy, hide);
}

void scheduled_actor::enqueue(mailbox_element_ptr message, execution_unit* context) {
  static auto own = caf_function<void (*)(scheduled_actor*, mailbox_element_ptr, execution_unit*)>(
      "_ZN3caf15scheduled_actor7enqueueESt10unique_ptrINS_15mailbox_elementENS_6detail8disposerEEPNS_14execution_"
      "unitE");
  order_its_end(message);
  __tsan_release(ctrl());
  own(this, std::move(message), context);
}

resumable::resume_result scheduled_actor::resume(execution_unit* context, size_t max_messages) {
  static auto own = caf_function<resume_result (*)(scheduled_actor*, execution_unit*, size_t)>(
      "_ZN3caf15scheduled_actor6resumeEPNS_14execution_unitEm");
  __tsan_acquire(ctrl());
  strong_actor_ptr alive{ctrl()};
  auto result = own(this, context, max_messages);
  __tsan_release(alive.get());
  return result;
}

invoke_message_result scheduled_actor::consume(mailbox_element& message) {
  static auto own = caf_function<invoke_message_result (*)(scheduled_actor*, mailbox_element&)>(
      "_ZN3caf15scheduled_actor7consumeERNS_15mailbox_elementE");
  __tsan_acquire(ctrl());
  return own(this, message);
}

void blocking_actor::enqueue(mailbox_element_ptr message, execution_unit* context) {
  static auto own = caf_function<void (*)(blocking_actor*, mailbox_element_ptr, execution_unit*)>(
      "_ZN3caf14blocking_actor7enqueueESt10unique_ptrINS_15mailbox_elementENS_6detail8disposerEEPNS_14execution_unitE");
  order_its_end(message);
  __tsan_release(ctrl());
  own(this, std::move(message), context);
}

intrusive::task_result blocking_actor::mailbox_visitor::operator()(mailbox_element& message) {
  static auto own = caf_function<intrusive::task_result (*)(mailbox_visitor*, mailbox_element&)>(
      "_ZN3caf14blocking_actor15mailbox_visitorclERNS_15mailbox_elementE");
  __tsan_acquire(self->ctrl());
  return own(this, message);
}

void memory_managed::request_deletion(bool decremented) const noexcept {
  static auto own = caf_function<void (*)(const memory_managed*, bool)>("_ZNK3caf14memory_managed16request_deletionEb");
  __tsan_acquire(const_cast<memory_managed*>(this));
  own(this, decremented);
}

// What counts references does the same as CAF's own, in code that the sanitizer sees.

void ref_counted::deref() const noexcept {
  if (unique())
    request_deletion(/*decremented_rc=*/false);
  else if (rc_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    request_deletion(/*decremented_rc=*/true);
}

void intrusive_ptr_release_weak(actor_control_block* actor) {
  if (actor->weak_refs == 1 || actor->weak_refs.fetch_sub(1, std::memory_order_acq_rel) == 1) actor->block_dtor(actor);
}

void intrusive_ptr_release(actor_control_block* actor) {
  if (actor->strong_refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  actor->data_dtor(actor->get());
  intrusive_ptr_release_weak(actor);
}

}  // namespace caf
