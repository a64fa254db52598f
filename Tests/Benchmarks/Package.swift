// swift-tools-version: 6.3
import PackageDescription

// Kept out of the main package, so that its users never resolve the benchmark library.
let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "python-bridge", path: "../.."),
        .package(url: "https://github.com/ordo-one/benchmark.git", exact: "1.38.1", traits: []),
    ],
    targets: [
        .systemLibrary(name: "CPythonAPI", path: "CPythonAPI", pkgConfig: "python3-embed"),
        .target(name: "CallPathInC", dependencies: ["CPythonAPI"], path: "CallPathInC"),
        .executableTarget(
            name: "CallCosts",
            dependencies: ["CallPathInC", .product(name: "PythonBridge", package: "python-bridge")],
            path: "CallCosts"
        ),
        .executableTarget(
            name: "Speed",
            dependencies: [
                "CallPathInC",
                .product(name: "PythonBridge", package: "python-bridge"),
                .product(name: "PythonWorkers", package: "python-bridge"),
                .product(name: "Outliers", package: "python-bridge"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Speed",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
