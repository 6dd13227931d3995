"""What several tests need: projects, pictures, servers, independent references. Tests import no other tests."""
