/// The same value with the lifetime of an exclusive access to `source`, which the caller knows it has.
@unsafe
@_unsafeNonescapableResult
@_alwaysEmitIntoClient
@_transparent
@_lifetime(&source)
func _overrideLifetime<T: ~Copyable & ~Escapable, U: ~Copyable & ~Escapable>(
    _ dependent: consuming T, mutating source: inout U
) -> T {
    dependent
}

/// The same value with the lifetime of `source`, which it points into.
@unsafe
@_unsafeNonescapableResult
@_alwaysEmitIntoClient
@_transparent
@_lifetime(borrow source)
func _overrideLifetime<T: ~Copyable & ~Escapable, U>(_ dependent: consuming T, borrowing source: borrowing U) -> T {
    dependent
}

/// The same value with the lifetime that `source` has.
@unsafe
@_unsafeNonescapableResult
@_alwaysEmitIntoClient
@_transparent
@_lifetime(copy source)
func _overrideLifetime<T: ~Copyable & ~Escapable, U: ~Escapable>(_ dependent: consuming T, copying source: U) -> T {
    dependent
}
