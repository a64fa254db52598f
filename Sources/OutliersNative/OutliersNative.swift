import OutlierDetection

/// What ``detect(samples:count:stride:kind:size:threshold:omit:indices:capacity:result:threads:)`` returns.
enum Status: Int32 {
    case found = 0
    case nonFinite = 1
    case invalid = 2
}

/// Writes the indices of the outliers among samples of the caller's into memory of the caller's.
///
/// ```c
/// int32_t outliers_detect(const void *samples, int64_t count, int64_t stride, uint8_t kind, int64_t size,
///                         double threshold, bool omit, int64_t *indices, int64_t capacity, int64_t *result, int32_t threads);
/// ```
///
/// Any thread may call it, and several at once. Nothing is kept, and of the samples nothing is copied but one block of 16 384 at a time
/// where they are not doubles one after the other.
///
/// - Parameters:
///   - samples: The first sample; is not read where there is none. They are read only, and need no alignment.
///   - count: The number of samples.
///   - stride: How many bytes lie from one sample to the next; 0 and less are fine.
///   - kind: What numpy's `dtype.kind` calls them: `f`, `i` or `u`.
///   - size: The bytes of a sample: 2, 4 or 8 of a float, 1, 2, 4 or 8 of an integer, in the machine's byte order.
///   - threshold: How many population standard deviations from the mean an outlier is beyond; finite, from 0 up.
///   - omit: Whether NaN and infinity are left out; otherwise they are an error.
///   - indices: Memory for `capacity` indices, aligned. The first outliers are written, ascending, as many as fit; the rest of the
///     memory is left as it is.
///   - capacity: How many indices fit; by Chebyshev's inequality `count / threshold²` and one more nearly always suffice.
///   - result: Is set to the number of outliers, which may be more than `capacity`; or to the index of the first sample that is not finite.
///   - threads: On how many threads it runs at most, from 1 up; on fewer where there is less than half a million for each. The others
///     than the caller's end with the call.
/// - Returns: 0; 1 where a sample is not finite; 2 where an argument is none of the above, and `result` is left as it is.
@c(outliers_detect)
public func detect(
    samples: UnsafeRawPointer?, count: Int, stride: Int, kind: UInt8, size: Int, threshold: Double, omit: Bool,
    indices: UnsafeMutablePointer<Int>?, capacity: Int, result: UnsafeMutablePointer<Int>,
    threads: Int32
) -> Int32 {
    guard let type = SampleType(kind: kind, size: size), threshold.isFinite, threshold >= 0, count >= 0, capacity >= 0,
        threads >= 1,
        unsafe samples != nil || count == 0, unsafe indices != nil || capacity == 0
    else { return Status.invalid.rawValue }
    let source = unsafe SampleMemory(start: samples, count: count, stride: stride, type: type)
    let detection = Detection<NonFinite>(
        threads: Int(threads), refuse: omit ? nil : { index, _ in NonFinite(index: index) })
    let room = unsafe UnsafeMutableBufferPointer(start: indices, count: capacity)
    do throws(NonFinite) {
        unsafe result.pointee = try detection.search(source, threshold: threshold, into: room) { _ in }
    } catch {
        unsafe result.pointee = error.index
        return Status.nonFinite.rawValue
    }
    return Status.found.rawValue
}

/// A sample that is NaN or infinite.
private struct NonFinite: Error {
    let index: Int
}
