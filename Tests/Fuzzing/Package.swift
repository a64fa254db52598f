// swift-tools-version: 6.3
import PackageDescription

// Kept out of the main package, so that neither its users nor its tests build it.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fuzzing",
    dependencies: [
        .package(name: "python-bridge", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "Layouts", dependencies: [.product(name: "PythonBridge", package: "python-bridge")], path: "Layouts",
            swiftSettings: settings),
        // The reader is the program's own, by symbolic links: an executable cannot be imported from another package.
        .executableTarget(
            name: "NumpyFile",
            dependencies: [
                .product(name: "PythonBridge", package: "python-bridge"),
                .product(name: "Outliers", package: "python-bridge"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "NumpyFile",
            // libFuzzer has the main function.
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]),
    ],
    swiftLanguageModes: [.v6]
)
