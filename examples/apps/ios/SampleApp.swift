// A camera picture with the model's label. Not compiled by edgevit: its syntax is checked.
import SwiftUI

@main
struct SampleApp: App {
    var body: some Scene {
        WindowGroup { LabelledCamera() }
    }
}

struct LabelledCamera: View {
    @State private var camera = Camera()

    var body: some View {
        ZStack(alignment: .bottom) {
            if let picture = camera.picture {
                Image(decorative: picture, scale: 1)
                    .resizable()
                    .scaledToFill()
                    .ignoresSafeArea()
            }
            Text(camera.label)
                .font(.title2)
                .padding()
                .background(.regularMaterial, in: Capsule())
                .padding(.bottom, 32)
                .accessibilityLabel("Seen: \(camera.label)")
        }
        .task { await camera.start() }
    }
}
